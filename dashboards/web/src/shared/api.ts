// How to ask the hub. Types of answers are in openapi.ts, made from the contract.

import { signal } from '@preact/signals';

/** One thing that is wrong with what was sent. */
export interface FieldProblem {
  location: string;
  message: string;
}

/** A refusal of the hub, or "offline" when it could not be reached. */
export class ApiError extends Error {
  constructor(
    readonly code: string,
    readonly detail: string,
    readonly status = 0,
    readonly fields: readonly FieldProblem[] = [],
    /** Seconds to wait before another try; 0: not said. */
    readonly wait = 0,
    /** One word for the reason why a step was not possible; empty: not said. */
    readonly why = '',
  ) {
    super(detail || code);
  }
}

/** Set when the hub says that nobody is signed in (any more). */
export const signedOut = signal(false);

export type Params = Record<string, string | number | boolean | undefined>;

/** The address of path with params; what is undefined or empty is left out. */
export function address(path: string, params: Params = {}): string {
  const query = new URLSearchParams();
  for (const [name, value] of Object.entries(params)) if (value !== undefined && value !== '') query.set(name, String(value));
  const text = query.toString();
  return text ? `${path}?${text}` : path;
}

/** Asks the hub; every failure but an abort is an ApiError. */
export async function ask<T>(path: string, params: Params = {}, signal?: AbortSignal, headers: HeadersInit = {}): Promise<T> {
  return request<T>(address(path, params), signal ? { signal, headers } : { headers });
}

/** Sends JSON, or a file as it is; every failure but an abort is an ApiError. */
export async function send<T>(method: 'POST' | 'PUT' | 'DELETE' | 'PATCH', path: string, body?: unknown, init: RequestInit = {}): Promise<T> {
  if (body === undefined) return request<T>(path, { ...init, method });
  const raw = body instanceof Blob || body instanceof FormData;
  const headers = new Headers(init.headers);
  if (!raw) headers.set('Content-Type', 'application/json');
  return request<T>(path, { ...init, method, headers, body: raw ? body : JSON.stringify(body) });
}

async function request<T>(url: string, init: RequestInit): Promise<T> {
  let answer: Response;
  try {
    answer = await fetch(url, { credentials: 'same-origin', ...init });
  } catch (err) {
    if (init.signal?.aborted) throw err;
    throw new ApiError('offline', '');
  }
  if (answer.status === 204) return undefined as T;
  const body: unknown = await answer.json().catch(() => null);
  if (answer.ok && body !== null) return body as T;
  throw refusal(answer, body);
}

function refusal(answer: Response, body: unknown): ApiError {
  const problem = (body ?? {}) as { code?: string; detail?: string; errors?: FieldProblem[]; why?: string };
  const code = problem.code ?? (answer.ok || answer.status >= 500 ? 'offline' : `http_${answer.status}`);
  if (code === 'not_authenticated') signedOut.value = true;
  return new ApiError(code, problem.detail ?? '', answer.status, problem.errors ?? [], Number(answer.headers.get('Retry-After')) || 0, problem.why ?? '');
}

/** Sends a form, or a file as it is, with progress (0 to 1), which fetch cannot tell. */
export function upload<T>(path: string, form: FormData | Blob, progress: (part: number) => void, stop?: AbortSignal): Promise<T> {
  return new Promise((resolve, reject) => {
    const x = new XMLHttpRequest();
    x.open('POST', path);
    x.responseType = 'text';
    x.upload.onprogress = (e) => progress(e.lengthComputable ? e.loaded / e.total : 0);
    x.onerror = () => reject(new ApiError('offline', ''));
    x.onabort = () => reject(new DOMException('stopped', 'AbortError'));
    x.onload = () => {
      const head = new Headers();
      const wait = x.getResponseHeader('Retry-After');
      if (wait) head.set('Retry-After', wait);
      let body: unknown = null;
      try {
        body = JSON.parse(x.responseText);
      } catch {
        body = null; // an answer that is no JSON is a refusal, below
      }
      if (x.status >= 200 && x.status < 300 && body !== null) resolve(body as T);
      else reject(refusal(new Response(null, { status: Math.max(x.status, 200), headers: head }), body));
    };
    stop?.addEventListener('abort', () => x.abort());
    x.send(form);
  });
}

// Reads codes from the camera: with the browser's own reader where it has one, and else
// with zxing, which is fetched only now and is part of what works without network.

export type ScanTrouble = 'denied' | 'none' | 'busy' | 'insecure' | 'decoder';

type Decode = (video: HTMLVideoElement) => Promise<string>;

interface Detector {
  detect(source: HTMLVideoElement): Promise<{ rawValue: string }[]>;
}
interface DetectorClass {
  new (o: { formats: string[] }): Detector;
  getSupportedFormats(): Promise<string[]>;
}

async function native(): Promise<Decode | null> {
  const kind = (globalThis as { BarcodeDetector?: DetectorClass }).BarcodeDetector;
  // Phones without the maker's services have the name and no reader behind it.
  const formats = (await kind?.getSupportedFormats().catch(() => [])) ?? [];
  if (!kind || !formats.includes('qr_code')) return null;
  const detector = new kind({ formats: formats.filter((f) => ['qr_code', 'data_matrix', 'code_128'].includes(f)) });
  return async (video) => (await detector.detect(video))[0]?.rawValue ?? '';
}

async function zxing(): Promise<Decode> {
  const { decode } = await import('./zxing.ts');
  const canvas = document.createElement('canvas');
  const pen = canvas.getContext('2d', { willReadFrequently: true })!;
  return async (video) => {
    const scale = Math.min(1, 960 / Math.max(video.videoWidth, video.videoHeight));
    canvas.width = Math.round(video.videoWidth * scale);
    canvas.height = Math.round(video.videoHeight * scale);
    pen.drawImage(video, 0, 0, canvas.width, canvas.height);
    return decode(pen.getImageData(0, 0, canvas.width, canvas.height));
  };
}

/** A camera that looks for a code. */
export interface Scanner {
  /** The text of the first code; never settles after stop. */
  found: Promise<string>;
  /** Turns the light on or off; null: this camera has none. */
  torch: ((on: boolean) => Promise<void>) | null;
  stop(): void;
}

/** Opens the camera behind into video. Rejects with a ScanTrouble. */
export async function scan(video: HTMLVideoElement): Promise<Scanner> {
  if (!navigator.mediaDevices?.getUserMedia) throw trouble('insecure');
  let stream: MediaStream;
  try {
    stream = await navigator.mediaDevices.getUserMedia({ audio: false, video: { facingMode: 'environment', width: { ideal: 1280 }, height: { ideal: 720 } } });
  } catch (err) {
    const name = err instanceof DOMException ? err.name : '';
    throw trouble(name === 'NotAllowedError' || name === 'SecurityError' ? 'denied' : name === 'NotReadableError' || name === 'AbortError' ? 'busy' : 'none');
  }
  let stopped = false;
  const stop = (): void => {
    stopped = true;
    for (const t of stream.getTracks()) t.stop();
    video.srcObject = null;
  };
  try {
    video.srcObject = stream;
    await video.play();
    const decode = (await native()) ?? (await zxing());
    return { found: look(video, decode, () => stopped), torch: torchOf(stream), stop };
  } catch {
    stop();
    throw trouble('decoder');
  }
}

export class ScanError extends Error {
  constructor(readonly why: ScanTrouble) {
    super(why);
  }
}

const trouble = (why: ScanTrouble): ScanError => new ScanError(why);

function look(video: HTMLVideoElement, decode: Decode, stopped: () => boolean): Promise<string> {
  return new Promise((resolve) => {
    const turn = async (): Promise<void> => {
      if (stopped()) return;
      const text = video.readyState >= 2 && video.videoWidth > 0 ? await decode(video).catch(() => '') : '';
      if (text !== '' && !stopped()) resolve(text);
      else setTimeout(() => void turn(), 80);
    };
    void turn();
  });
}

function torchOf(stream: MediaStream): Scanner['torch'] {
  const track = stream.getVideoTracks()[0];
  const can = track?.getCapabilities?.() as { torch?: boolean } | undefined;
  if (!track || !can?.torch) return null;
  return (on) => track.applyConstraints({ advanced: [{ torch: on } as MediaTrackConstraintSet] });
}

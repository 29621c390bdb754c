// The decoder of codes, from this hub and not from where the library would fetch it.

import { prepareZXingModule, readBarcodes } from 'zxing-wasm/reader';
import wasm from 'zxing-wasm/reader/zxing_reader.wasm?url';

prepareZXingModule({ overrides: { locateFile: (path: string, prefix: string) => (path.endsWith('.wasm') ? wasm : prefix + path) } });

/** The text of the first code in a picture; "" for none. */
export async function decode(picture: ImageData): Promise<string> {
  const found = await readBarcodes(picture, { formats: ['QRCode', 'DataMatrix', 'Code128'], tryHarder: true, maxNumberOfSymbols: 1 });
  return found.find((f) => f.isValid)?.text ?? '';
}

/** Images: photos small enough to store and send, signatures, and the text of a barcode. */

const PHOTO_SIDE = 1_600; // pixels of the longer side
const PHOTO_QUALITY = 0.8;
const NAME_FONT = 'italic 72px cursive';

/**
 * A photo, upright, as a small JPEG without metadata such as the place.
 * @param {Blob} file @returns {Promise<Blob>} rejects if it is no image
 */
export async function downscaled(file) {
  const bitmap = await createImageBitmap(file, { imageOrientation: 'from-image' });
  const scale = Math.min(1, PHOTO_SIDE / Math.max(bitmap.width, bitmap.height));
  const canvas = document.createElement('canvas');
  canvas.width = Math.max(1, Math.round(bitmap.width * scale));
  canvas.height = Math.max(1, Math.round(bitmap.height * scale));
  canvas.getContext('2d')?.drawImage(bitmap, 0, 0, canvas.width, canvas.height);
  bitmap.close();
  return encoded(canvas, 'image/jpeg', PHOTO_QUALITY);
}

/** @param {HTMLCanvasElement} canvas @param {string} type @param {number} [quality] @returns {Promise<Blob>} */
function encoded(canvas, type, quality) {
  return new Promise((resolve, reject) => {
    canvas.toBlob((blob) => (blob ? resolve(blob) : reject(new Error('The image could not be encoded.'))), type, quality);
  });
}

/** Whether this browser reads barcodes. */
export const readsBarcodes = 'BarcodeDetector' in globalThis;

/** @param {Blob} file a photo @returns {Promise<string>} the text of its barcode; empty without one */
export async function barcodeIn(file) {
  const { BarcodeDetector } = /** @type {any} */ (globalThis);
  const [found] = await new BarcodeDetector().detect(await createImageBitmap(file));
  return found?.rawValue ?? '';
}

/** A canvas to sign on with a finger or pen, or by typing a name. */
export class SignaturePad {
  /** @param {HTMLCanvasElement} canvas @param {(isEmpty: boolean) => unknown} onChange */
  constructor(canvas, onChange) {
    this._canvas = canvas;
    this._onChange = onChange;
    this._pen = /** @type {CanvasRenderingContext2D} */ (canvas.getContext('2d'));
    this.clear();
    canvas.addEventListener('pointerdown', (event) => this._begin(event));
    canvas.addEventListener('pointermove', (event) => event.buttons && this._draw(event));
  }

  clear() {
    const { width, height } = this._canvas;
    Object.assign(this._pen, { fillStyle: '#fff', strokeStyle: '#000', lineWidth: 4, lineCap: 'round', lineJoin: 'round' });
    this._pen.fillRect(0, 0, width, height);
    this._onChange(true);
  }

  /** @param {string} name drawn as the signature */
  write(name) {
    this.clear();
    if (!name) return;
    const { width, height } = this._canvas;
    Object.assign(this._pen, { fillStyle: '#000', font: NAME_FONT, textAlign: 'center', textBaseline: 'middle' });
    this._pen.fillText(name, width / 2, height / 2, width - 40);
    this._onChange(false);
  }

  /** @returns {Promise<Blob>} */
  image() {
    return encoded(this._canvas, 'image/png');
  }

  /** @param {PointerEvent} event */
  _begin(event) {
    this._canvas.setPointerCapture(event.pointerId);
    this._pen.beginPath();
    this._pen.moveTo(...this._place(event));
  }

  /** @param {PointerEvent} event */
  _draw(event) {
    this._pen.lineTo(...this._place(event));
    this._pen.stroke();
    this._onChange(false);
  }

  /** @param {PointerEvent} event @returns {[number, number]} */
  _place({ offsetX, offsetY }) {
    const { width, height, clientWidth, clientHeight } = this._canvas;
    return [(offsetX * width) / clientWidth, (offsetY * height) / clientHeight];
  }
}

/** Columns: what the columns of a list mean, by their names in several languages, or else by their content. Pure. */

/**
 * @typedef {'address'|'street'|'number'|'postcode'|'city'|'name'|'phone'|'email'|'language'|'instructions'|'reference'|
 *   'window'|'from'|'to'|'date'|'lat'|'lon'} Field
 */

/** @type {readonly Field[]} */
export const FIELDS = [
  'address', 'street', 'number', 'postcode', 'city', 'name', 'phone', 'email', 'language', 'instructions', 'reference',
  'window', 'from', 'to', 'date', 'lat', 'lon',
];

/**
 * Names of columns without case, accents and signs. English, German, Finnish, Swedish, French, Spanish, Arabic, Japanese.
 * @type {Readonly<Record<Field, string>>}
 */
const NAMES = {
  address: 'address|delivery address|full address|destination|dropoff|drop off|deliver to|where|adresse|anschrift|lieferadresse|zieladresse|' +
    'osoite|toimitusosoite|katuosoite|kohde|adress|leveransadress|adresse de livraison|direccion|domicilio|العنوان|عنوان|عنوان التوصيل|住所|配達先|お届け先',
  street: 'street|street address|address line 1|address 1|road|strasse|str|strasse und hausnummer|strasse hausnummer|katu|katuosoite ja numero|gata|gatuadress|rue|calle|الشارع|شارع|番地',
  number: 'house number|number|house no|no|hausnummer|hausnr|hnr|nr|talonumero|numero|husnummer|n|رقم المنزل|رقم المبنى|talon numero|رقم المبني',
  postcode: 'postcode|post code|postal code|zip|zip code|zipcode|postleitzahl|plz|postinumero|postinro|postnummer|code postal|cp|codigo postal|الرمز البريدي|郵便番号',
  city: 'city|town|place|locality|stadt|ort|wohnort|kaupunki|postitoimipaikka|paikkakunta|stad|ort|ville|ciudad|poblacion|المدينة|مدينة|市区町村|市',
  name: 'name|customer|customer name|recipient|client|contact|full name|kunde|kundin|kundenname|empfanger|nimi|asiakas|asiakkaan nimi|vastaanottaja|' +
    'namn|kund|mottagare|nom|destinataire|nombre|cliente|الاسم|اسم|العميل|اسم العميل|名前|氏名|お名前|customer s name|name des kunden|asiakkaan nimi|اسم العميل',
  phone: 'phone|phone number|telephone|tel|mobile|mobile number|cell|telefon|telefonnummer|handy|handynummer|mobil|mobilnummer|puhelin|puhelinnumero|puh|gsm|' +
    'telefono|movil|telephone portable|portable|الهاتف|هاتف|رقم الهاتف|الجوال|電話|電話番号',
  email: 'email|e mail|mail|email address|e mail adresse|sahkoposti|epost|e post|courriel|correo|correo electronico|البريد الالكتروني|البريد|メール|メールアドレス|البريد الالكتروني',
  language: 'language|lang|sprache|kieli|sprak|langue|idioma|اللغة|لغة|言語',
  instructions: 'note|notes|instructions|comment|comments|remark|remarks|delivery instructions|details|notiz|notizen|hinweis|hinweise|anmerkung|bemerkung|kommentar|' +
    'ohje|ohjeet|huomautus|lisatiedot|viesti|anmarkning|instruktioner|remarque|remarques|nota|notas|observaciones|ملاحظة|ملاحظات|تعليمات|備考|メモ|note for the driver|hinweis fur den fahrer|ohje kuljettajalle|ملاحظة للسائق',
  reference: 'reference|ref|order|order number|order no|order id|id|invoice|bestellung|bestellnummer|auftrag|auftragsnummer|referenz|tilaus|tilausnumero|viite|' +
    'ordernummer|bestallning|commande|numero de commande|pedido|referencia|رقم الطلب|الطلب|注文番号|your number|ihre nummer|oma numero|رقمك',
  window: 'time|window|time window|delivery time|slot|time slot|when|zeit|uhrzeit|zeitfenster|lieferzeit|aika|aikaikkuna|toimitusaika|kello|klo|tid|tidsfonster|leveranstid|' +
    'heure|creneau|hora|horario|franja|الوقت|وقت|وقت التوصيل|時間|時間帯|配達時間|aikavali|الفترة الزمنية',
  from: 'from|start|after|earliest|not before|von|ab|ab wann|alkaen|alku|fran|de|desde|apres|من|ابتداء من|開始|alkaen',
  to: 'to|until|till|by|end|before|latest|bis|spatestens|asti|loppu|mennessa|till senast|senast|a|hasta|avant|الى|حتى|قبل|終了|mennessa',
  lat: 'lat|latitude|breitengrad|breite|leveysaste|خط العرض|緯度',
  lon: 'lon|lng|long|longitude|langengrad|lange|pituusaste|خط الطول|経度',
  date: 'date|day|delivery date|datum|tag|lieferdatum|liefertag|paiva|paivamaara|pvm|toimituspaiva|dag|leveransdatum|jour|dia|fecha|التاريخ|تاريخ|اليوم|日付|配達日',
};

/** @type {ReadonlyMap<string, Field>} */
const BY_NAME = new Map(FIELDS.toReversed().flatMap((field) => NAMES[field].split('|').map((name) => [plain(name), field])));

const EMAIL = /^[^\s@]+@[^\s@]+\.[^\s@]+$/;
const PHONE = /^(?:\+|00|0|\()[\d\s()./-]{5,}$|^\+?\d[\d\s()./-]{6,}$/;
const TIME = /^(?:klo\s*)?\d{1,2}(?:[:.]\d{2})?\s*(?:[ap]\.?m\.?)?(?:\s*[-–—]\s*\d{1,2}(?:[:.]\d{2})?\s*(?:[ap]\.?m\.?)?)?(?:\s*uhr)?$/i;
const DATE = /^\d{4}-\d{2}-\d{2}$|^\d{1,2}[./]\d{1,2}\.?(?:[./]?\d{2,4})?$/;
const POSTCODE = /^(?:[A-Z]{1,2}[- ]?)?\d{4,6}(?:-\d{3,4})?$|^[A-Z]{1,2}\d[A-Z\d]? ?\d[A-Z]{2}$/i;
const MOST = 0.7; // share of the filled cells that must look alike

/** @param {string} name @returns {string} */
export function plain(name) {
  const bare = name.normalize('NFKD').replace(/\p{M}/gu, '').toLowerCase().replaceAll('ß', 'ss').replaceAll('أ', 'ا').replaceAll('إ', 'ا');
  return bare.replace(/[^\p{L}\p{N}]+/gu, ' ').trim();
}

/** @param {string} name of a column @returns {Field|null} */
export function fieldNamed(name) {
  const whole = plain(name);
  return BY_NAME.get(whole) ?? BY_NAME.get(plain(name.replace(/\(.*?\)|\[.*?\]/g, ''))) ?? null;
}

/** Whether a row holds names of columns: most of its cells are names, and no cell has a value. @param {readonly string[]} row */
export function isHeader(row) {
  const filled = row.filter((cell) => cell.trim());
  const named = filled.filter((cell) => fieldNamed(cell));
  if (!named.length || filled.some((cell) => EMAIL.test(cell.trim()) || PHONE.test(cell.trim()))) return false;
  return named.length * 2 >= filled.length;
}

/**
 * Say what each column means; each field is given once. Columns that nothing is known of are null.
 * @param {readonly string[]|null} header @param {readonly (readonly string[])[]} rows without the header
 * @returns {(Field|null)[]}
 */
export function recognise(header, rows) {
  const width = Math.max(header?.length ?? 0, ...rows.slice(0, 200).map((row) => row.length));
  /** @type {(Field|null)[]} */ const found = Array.from({ length: width }, () => null);
  header?.forEach((name, n) => give(found, n, fieldNamed(name)));
  const cells = found.map((_, n) => rows.slice(0, 200).map((row) => (row[n] ?? '').trim()).filter(Boolean));
  found.forEach((field, n) => field || (header?.[n] && fieldNamed(header[n])) || give(found, n, byContent(cells[n])));
  if (!found.includes('address') && !found.includes('street')) give(found, likeliestAddress(found, cells), 'address');
  if (!header && !found.includes('name')) give(found, likeliestName(found, cells), 'name');
  return found;
}

/** @param {(Field|null)[]} found @param {number} n @param {Field|null} field */
function give(found, n, field) {
  if (field && n >= 0 && !found.includes(field)) found[n] = field;
}

/** @param {readonly string[]} cells @returns {Field|null} what nearly all of them look like */
export function byContent(cells) {
  /** @type {[Field, RegExp][]} */
  const looks = [['email', EMAIL], ['date', DATE], ['postcode', POSTCODE], ['window', TIME], ['phone', PHONE]];
  const look = looks.find(([, pattern]) => cells.length > 0 && cells.filter((cell) => pattern.test(cell)).length >= MOST * cells.length);
  return look?.[0] ?? null;
}

/** The column with most texts that have letters and a number. @param {(Field|null)[]} found @param {string[][]} cells */
function likeliestAddress(found, cells) {
  return best(found, cells, (cell) => (/\p{L}{2}/u.test(cell) && /\p{N}/u.test(cell) ? 1 : /\p{L}{4}/u.test(cell) ? 0.2 : 0));
}

/** The first column with words but no numbers. @param {(Field|null)[]} found @param {string[][]} cells */
function likeliestName(found, cells) {
  return best(found, cells, (cell) => (/^[\p{L}\p{M} .'’-]{2,60}$/u.test(cell) ? 1 : 0));
}

/** @param {(Field|null)[]} found @param {string[][]} cells @param {(cell: string) => number} worth */
function best(found, cells, worth) {
  const sums = cells.map((column, n) => (found[n] ? 0 : column.reduce((sum, cell) => sum + worth(cell), 0)));
  const most = Math.max(0, ...sums);
  return most > 0 ? sums.indexOf(most) : -1;
}

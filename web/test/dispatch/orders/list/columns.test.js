import assert from 'node:assert/strict';
import { readFileSync } from 'node:fs';
import { test } from 'node:test';

import { FIELDS, fieldNamed, isHeader, recognise } from '../../../../src/dispatch/orders/list/columns.js';

test('columns are known by their names in the languages of the page and more', () => {
  const headers = {
    'Name;Phone number;Delivery address;Time window;Notes': 'name phone address window instructions',
    'Kunde;Straße;Hausnr.;PLZ;Ort;Telefon;Bemerkung': 'name street number postcode city phone instructions',
    'Nimi;Katuosoite;Postinumero;Postitoimipaikka;Puhelin;Sähköposti;Klo': 'name address postcode city phone email window',
    'الاسم;العنوان;رقم الهاتف;الوقت;ملاحظات': 'name address phone window instructions',
    'Namn;Adress;Mobil;Från;Till': 'name address phone from to',
    'Destinataire;Adresse de livraison;Téléphone;Créneau': 'name address phone window',
    'Cliente;Dirección;Teléfono;Código postal;Ciudad': 'name address phone postcode city',
    '名前;住所;電話番号;時間帯': 'name address phone window',
    'Order No.;E-mail (customer);Lat;Lng': 'reference email lat lon',
  };
  for (const [header, fields] of Object.entries(headers)) {
    assert.deepEqual(recognise(header.split(';'), []), fields.split(' '), header);
    assert.ok(isHeader(header.split(';')), header);
  }
});

test('each field is given once, and unknown columns stay open', () => {
  assert.deepEqual(recognise(['Address', 'Address', 'Colour'], [['A 1', 'B 2', 'red']]), ['address', null, null]);
});

test('columns without names are known by their content', () => {
  const rows = [
    ['7001', 'Aino Korhonen', '+358 40 1234567', 'Kasarmikatu 36 B', '14-16', 'aino@shop.example', '00130'],
    ['7002', 'Väinö', '040-7654321', 'Rautatientori 1', '16.30', '', '00100'],
  ];
  const found = recognise(null, rows);
  assert.deepEqual(found.slice(1), ['name', 'phone', 'address', 'window', 'email', found[6]]);
});

test('values are no header', () => {
  assert.ok(!isHeader(['Aino', 'Kasarmikatu 36', '040 1234567']));
  assert.ok(!isHeader(['Kasarmikatu 36, Helsinki']));
  assert.ok(isHeader(['Osoite']));
});

test('every field has a name that leads to it', () => {
  for (const field of FIELDS) assert.ok(FIELDS.includes(fieldNamed(field) ?? 'name'), field);
  assert.equal(fieldNamed('Lieblingsfarbe'), null);
});

test('the names that the page shows lead to their fields', () => {
  for (const language of ['en', 'de', 'fi', 'ar']) {
    const words = JSON.parse(readFileSync(new URL(`../../../../messages/dispatch/orders/${language}.json`, import.meta.url), 'utf8'));
    for (const field of FIELDS) assert.equal(fieldNamed(words[`field.${field}`]), field, `${language}: ${words[`field.${field}`]}`);
    for (const field of /** @type {const} */ (['name', 'address', 'phone', 'reference'])) assert.equal(fieldNamed(words[`csv.${field}`]), field);
  }
});

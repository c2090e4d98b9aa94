/** ShareLinks: a tracking link as addresses that open an app with a message to the customer. Pure. */

/** @typedef {{name: 'sms'|'whatsapp'|'mail', url: string}} ShareLink */

/**
 * @param {string} text of the message, with the link @param {string} subject of a mail
 * @param {{phone?: string|null, email?: string|null}|null|undefined} customer what is missing, the dispatcher fills in
 * @returns {ShareLink[]}
 */
export function shareLinks(text, subject, customer) {
  const phone = dialled(customer?.phone ?? '');
  const body = encodeURIComponent(text);
  const email = encodeURIComponent(customer?.email ?? '').replaceAll('%40', '@');
  return [
    { name: 'sms', url: `sms:${phone}?&body=${body}` }, // iOS takes what follows `&`, Android what follows `?`
    { name: 'whatsapp', url: `https://wa.me/${international(phone)}?text=${body}` },
    { name: 'mail', url: `mailto:${email}?subject=${encodeURIComponent(subject)}&body=${body}` },
  ];
}

/** @param {string} phone @returns {string} without its extension and what is no digit */
function dialled(phone) {
  return phone.replace(/(?:x|ext|#|p\.).*$/i, '').replace(/[^\d+]/g, '').replace(/(?!^)\+/g, '');
}

/** WhatsApp takes numbers with a country code only. @param {string} phone @returns {string} digits; empty: the app asks */
function international(phone) {
  return /^(?:\+|00)/.test(phone) ? phone.replace(/^(?:\+|00)/, '') : '';
}

/** Share links: addresses that open a text message, WhatsApp or a mail with a tracking link. Pure. */

/** @typedef {{url: string, phone?: string|null, email?: string|null}} Shared */

/** @param {Shared} shared @param {string} text that holds the link @returns {{sms: string, whatsapp: string, mail: string}} */
export function shareLinks({ phone, email }, text, subject = '') {
  const said = encodeURIComponent(text);
  return {
    sms: `sms:${dialled(phone ?? '')}?&body=${said}`, // iOS takes what follows "&", Android what follows "?"
    whatsapp: `https://wa.me/${international(phone ?? '')}?text=${said}`,
    mail: `mailto:${encodeURIComponent(email ?? '').replaceAll('%40', '@')}?subject=${encodeURIComponent(subject)}&body=${said}`,
  };
}

/** @param {string} phone @returns {string} */
function dialled(phone) {
  return phone.replace(/(?:x|ext|#|p\.).*$/i, '').replace(/[^\d+]/g, '').replace(/(?!^)\+/g, '');
}

/** WhatsApp knows only numbers with a country code; without one, it asks whom to write to. @param {string} phone */
function international(phone) {
  const number = dialled(phone);
  return /^(?:\+|00)/.test(number) ? number.replace(/^(?:\+|00)/, '') : '';
}

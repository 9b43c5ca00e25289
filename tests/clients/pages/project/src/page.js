/*
 * Draws the page, and counts: window.draws is gone after a full reload, what is
 * in sessionStorage is not.
 */
const add = (parent, name, text) => {
  const element = document.createElement(name);
  element.textContent = text;
  parent.append(element);
  return element;
};

if (window.draws === undefined) {
  window.draws = 0;
  sessionStorage.loads = Number(sessionStorage.loads ?? 0) + 1;
}

export function draw(greeting, items) {
  const body = document.createElement('main');

  window.draws++;
  add(body, 'h1', greeting);
  add(body, 'p', 'One module for each of:');
  const list = add(body, 'ul', '');
  items.forEach((item) => add(list, 'li', item));
  add(body, 'footer',
    `loaded ${sessionStorage.loads} x, drawn ${window.draws} x since`);
  document.querySelector('main').replaceWith(body);
}

/*
 * What is done to a project, step by step, and what its page must then show.
 *
 * An operation is what an editor does; `shows` is given the page's state.
 * Whether the page was loaded again is compared with the native run, not fixed
 * here: a dev server may well decide for it.  Where that is a race of the
 * server's own, the step says so (`mayReload`), and it is not compared.
 */
'use strict';
const fs = require('fs');
const path = require('path');

const greeting = (text) => `export const greeting = '${text}';\n`;
const item = (text) => `export default '${text}';\n`;

/*
 * In place, without truncating it first, so that nobody can read it empty: of
 * changes less than 5 ms apart chokidar reports one, natively as well, and if
 * that is the truncation, the page stays as it then was.
 */
function overwrite(file, text) {
  const descriptor = fs.openSync(file, 'r+');

  if (text.length < fs.fstatSync(descriptor).size) {
    throw new Error(`${file} would have to shrink`);
  }
  fs.writeSync(descriptor, text);
  fs.closeSync(descriptor);
}

/* Beside the file, and renamed over it. */
function replace(file, text) {
  fs.writeFileSync(`${file}.tmp`, text);
  fs.renameSync(`${file}.tmp`, file);
}

/* As vim does: the old one becomes the backup, which goes in the end. */
function rewrite(file, text) {
  fs.renameSync(file, `${file}~`);
  fs.writeFileSync(file, text);
  fs.unlinkSync(`${file}~`);
}

const steps = (root) => {
  const source = (...names) => path.join(root, 'src', ...names);
  const has = (name) => (page) => page.items.includes(name);

  return [
    {
      name: 'save a module in place',
      run: () => overwrite(source('greeting.js'),
        greeting('The second version')),
      shows: (page) => page.greeting === 'The second version',
    },
    {
      name: 'save it atomically',
      run: () => replace(source('greeting.js'), greeting('The third')),
      shows: (page) => page.greeting === 'The third',
    },
    {
      name: 'save it as vim does',
      run: () => rewrite(source('greeting.js'), greeting('The fourth')),
      shows: (page) => page.greeting === 'The fourth',
    },
    {
      name: 'save the style sheet',
      run: () => overwrite(source('style.css'),
        fs.readFileSync(source('style.css'), 'utf8')
          .replace('0, 114, 178', '0, 158, 115')),
      shows: (page) => page.colour === 'rgb(0, 158, 115)',
    },
    {
      name: 'create a module',
      run: () => fs.writeFileSync(source('items', 'quince.js'),
        item('quince')),
      shows: has('quince'),
    },
    {
      name: 'save what was created',
      run: () => overwrite(source('items', 'quince.js'),
        item('ripe quince')),
      shows: has('ripe quince'),
    },
    {
      name: 'delete a module',
      run: () => fs.unlinkSync(source('items', 'pear.js')),
      shows: (page) => !page.items.includes('pear'),
    },
    {
      /* vite does if the old name is asked for before it knows the new one. */
      name: 'rename a module',
      mayReload: true,
      run: () => fs.renameSync(source('items', 'apple.js'),
        source('items', 'zebra.js')),
      shows: (page) => page.items.at(-1) === 'apple',
    },
    {
      name: 'save what was renamed',
      run: () => overwrite(source('items', 'zebra.js'),
        item('zebra')),
      shows: has('zebra'),
    },
  ];
};

module.exports = { steps };

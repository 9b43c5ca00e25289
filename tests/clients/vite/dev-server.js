/* vite's dev server. */
'use strict';

exports.name = 'vite';
exports.command = (modules) => [`${modules}/vite/bin/vite.js`];
exports.address = /Local:\s+(http:\S+)/;

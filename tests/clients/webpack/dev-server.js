/* webpack's dev server. */
'use strict';

exports.name = 'webpack-dev-server';
exports.command = (modules) => [`${modules}/webpack-cli/bin/cli.js`, 'serve'];
exports.address = /Loopback:\s+(http:\S+)/;

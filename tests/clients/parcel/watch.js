/*
 * A tree watched with @parcel/watcher, as VS Code does; a line for each of its
 * reports, and one at the end of each batch.  The backend is named, as there:
 * else it would start watchman's daemon, where that is installed, and ask it.
 */
'use strict';
const fs = require('fs');
const path = require('path');
const watcher = require('@parcel/watcher');

const root = process.argv[2];
watcher.subscribe(root, (error, events) => {
  if (error) fs.writeSync(1, `error|${error.message}\n`);
  for (const event of events)
    fs.writeSync(1, `${event.type}|${path.relative(root, event.path)}\n`);
  fs.writeSync(1, 'end of batch\n');
}, { backend: 'inotify' }).then(() => fs.writeSync(1, 'ready\n'));

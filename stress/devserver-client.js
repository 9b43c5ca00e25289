/*
 * What a dev server watches its tree with: prints "ready" when the client says
 * that it is, and then a line for each of its reports, "is" or "gone" and the
 * path.  It ends when its standard input does.
 *
 *     devserver-client.js chokidar|watchpack|parcel TREE
 *
 * NODE_PATH says where the packages are.
 */
'use strict';
const fs = require('fs');
const path = require('path');

const [, , client, root] = process.argv;
const print = (line) => fs.writeSync(1, `${line}\n`);
const report = (there, file) =>
  print(`${there ? 'is' : 'gone'} ${path.relative(root, file) || '.'}`);
const fail = (error) => print(`error ${error.message || error}`);

const clients = {
  chokidar() {
    const watcher = require('chokidar').watch(root, { ignoreInitial: true });
    watcher.on('all', (kind, file) => report(!kind.startsWith('unlink'), file));
    watcher.on('error', fail);
    watcher.on('ready', () => print('ready'));
  },

  /*
   * watchpack has no event for it: it is ready when each of its directories
   * has been looked through once.
   */
  watchpack() {
    const Watchpack = require('watchpack');
    const watcher = new Watchpack({ aggregateTimeout: 20, poll: false });
    watcher.on('change', (file, time, why) => {
      if (file !== root || typeof why !== 'string') report(time !== null, file);
    });
    watcher.on('remove', (file) => report(false, file));
    watcher.watch({ directories: [root], startTime: Date.now() });
    const looked = setInterval(() => {
      for (const one of watcher.watcherManager.directoryWatchers.values())
        if (one.initialScan) return;
      clearInterval(looked);
      print('ready');
    }, 5);
  },

  /* The backend is named: else it would ask watchman's daemon, if installed. */
  parcel() {
    require('@parcel/watcher').subscribe(root, (error, events) => {
      if (error) fail(error);
      for (const event of events) report(event.type !== 'delete', event.path);
    }, { backend: 'inotify' }).then(() => print('ready'), fail);
  },
};

clients[client]();
process.stdin.on('end', () => process.exit(0)).resume();

/*
 * A dev server at work on a fresh copy of its project, natively or under
 * `vnotify run`.
 */
'use strict';
const childProcess = require('child_process');
const fs = require('fs');
const os = require('os');
const path = require('path');

const HERE = path.dirname(__dirname);
const DEADLINE_MS = 60000;
const OPTIONS = {
  native: null,
  freebsd: ['--notes', 'freebsd'],
  macos: ['--notes', 'macos'],
  strict: ['--strict'],
};

class Server {
  constructor(folder, place, mode) {
    const description = require(path.join(HERE, folder, 'dev-server.js'));
    const node = [process.execPath, ...description.command(place.modules)];
    const command = OPTIONS[mode] === null ? node
      : [place.vnotify, 'run', ...OPTIONS[mode], '--', ...node];

    this.address = description.address;
    this.said = '';
    this.root = fs.mkdtempSync(path.join(os.tmpdir(), 'vnotify-page-'));
    for (const from of ['pages', folder]) {
      fs.cpSync(path.join(HERE, from, 'project'), this.root,
        { recursive: true });
    }
    this.process = childProcess.spawn(command[0], command.slice(1), {
      cwd: this.root,
      stdio: ['ignore', 'pipe', 'pipe'],
      env: { ...process.env, NO_COLOR: '1', FORCE_COLOR: undefined },
    });
    process.on('exit', () => this.process.kill('SIGTERM'));
    this.ended = new Promise((resolve, reject) => {
      this.process.on('error', reject);
      this.process.on('exit', (code, signal) => resolve(code ?? signal));
    });
  }

  /* The address that it says it serves, once it does. */
  listening() {
    return new Promise((resolve, reject) => {
      const timer = setTimeout(() => reject(
        new Error(`no address within a minute:\n${this.said}`)), DEADLINE_MS);
      const hear = (chunk) => {
        this.said += chunk;
        const found = this.address.exec(this.said);
        if (found) {
          clearTimeout(timer);
          resolve(found[1]);
        }
      };

      this.process.stdout.on('data', hear);
      this.process.stderr.on('data', hear);
      this.ended.then((status) => reject(
        new Error(`it has ended: ${status}\n${this.said}`)), reject);
    });
  }

  /* As a terminal's Ctrl-C or a service manager would; the exit status. */
  async end() {
    const timer = setTimeout(() => this.process.kill('SIGKILL'), DEADLINE_MS);

    this.process.kill('SIGTERM');
    const status = await this.ended;
    clearTimeout(timer);
    fs.rmSync(this.root, { recursive: true, force: true });
    return status;
  }
}

module.exports = { Server };

export default {
  clearScreen: false,
  cacheDir: '.vite',
  server: { host: '127.0.0.1', port: 0 },
};

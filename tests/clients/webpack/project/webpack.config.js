module.exports = {
  mode: 'development',
  entry: './src/main.js',
  experiments: { css: true },
  module: { rules: [{ test: /\.css$/, type: 'css/auto' }] },
  devServer: { host: '127.0.0.1', port: 0, hot: true, static: './public' },
};

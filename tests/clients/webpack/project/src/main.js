import './style.css';
import { greeting } from './greeting.js';
import { draw } from './page.js';

const items = require.context('./items', false, /\.js$/);

draw(greeting, items.keys().map((name) => items(name).default));
import.meta.webpackHot.accept();

import './style.css';
import { greeting } from './greeting.js';
import { draw } from './page.js';

const items = import.meta.glob('./items/*.js', { eager: true });

draw(greeting, Object.values(items).map((item) => item.default));
import.meta.hot.accept();

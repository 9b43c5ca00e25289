import { Basket } from './basket';
import { format } from './format';

const basket = new Basket().add('pencil', 120, 12).add('paper', 450);
document.querySelector('output')!.textContent = format(basket.total());

export default 'apple';

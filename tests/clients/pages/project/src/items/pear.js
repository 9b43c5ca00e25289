export default 'pear';

export const greeting = 'The first version';

// Whether new rows at the top would not push away what is being read.
export function isAtTop(list) {
  return !list || list.scrollTop < 8;
}

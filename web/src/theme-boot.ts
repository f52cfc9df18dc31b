// Runs before the first paint, so that a reload does not flash the other theme. Loaded as a classic script: no imports.
(() => {
  let theme: string | null = null;
  try {
    theme = localStorage.getItem('meerkat.theme');
  } catch {
    // storage may be closed to us
  }
  if (theme !== 'dark' && theme !== 'light')
    theme = matchMedia('(prefers-color-scheme: light)').matches ? 'light' : 'dark';
  document.documentElement.dataset.theme = theme;
})();

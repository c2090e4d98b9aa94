{
  // Import the page's script, again if it does not arrive. Until it runs, the server's card refreshes itself.
  const { src } = document.currentScript.dataset;
  const refreshing = setInterval(() => {
    fetch(location.href, { method: 'HEAD' }).then(({ ok }) => ok && location.reload(), () => {});
  }, 30_000);
  const load = (attempt) => import(attempt ? `${src}?attempt=${attempt}` : src).then(
    () => clearInterval(refreshing),
    () => attempt < 6 && setTimeout(load, 500 * 2 ** attempt, attempt + 1),
  );
  load(0);
}

// A keyboard on the screen covers the page on some phones: the page is made as tall as what is seen.

export function fitKeyboard() {
  const seen = window.visualViewport;
  if (!seen) return;
  const fit = () => {
    const covered = innerHeight - seen.height > 80 && seen.scale === 1;
    const root = document.documentElement;
    if (covered) root.style.setProperty("--visible", `${seen.height}px`);
    else root.style.removeProperty("--visible");
    if (covered) scrollTo(0, 0); // iOS moves the page up by itself
  };
  seen.addEventListener("resize", fit);
}

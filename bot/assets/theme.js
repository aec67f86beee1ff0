// Have a page look as the reader chose on the chat page, before it is painted.

try {
  const theme = JSON.parse(localStorage.getItem("wenqu.theme"));
  if (theme === "light" || theme === "dark") document.documentElement.dataset.theme = theme;
} catch {
  // as the system has it
}

// Light, dark, or as the system: one button goes round, the choice stays in this browser.

const THEMES = ["auto", "light", "dark"];
const KEY = "sightline-theme";
let theme = "auto";

function remembered() {
  try {
    const kept = localStorage.getItem(KEY);
    return THEMES.includes(kept) ? kept : "auto";
  } catch {
    return "auto"; // storage is blocked: the choice lasts for this page
  }
}

function apply(chosen) {
  theme = chosen;
  document.documentElement.dataset.theme = theme;
  const button = document.querySelector("#theme");
  if (button) {
    button.ariaLabel = button.title = button.dataset[theme];
  }
}

function next() {
  apply(THEMES[(THEMES.indexOf(theme) + 1) % THEMES.length]);
  try {
    localStorage.setItem(KEY, theme);
  } catch {
    // As above.
  }
}

document.addEventListener("click", (event) => {
  if (event.target.closest("#theme")) {
    next();
  }
});
document.addEventListener("DOMContentLoaded", () => apply(theme));
apply(remembered());

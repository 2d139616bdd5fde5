// A button with data-copy copies the text of the [data-copy-source] beside it, and says that it did.
// The Clipboard API is missing where pages come over plain HTTP from another machine; what is
// selected can be copied there all the same.

const SAID_FOR = 2000;
const announcement = document.querySelector("#announcement");

async function copy(button) {
  const source = button.closest(".copyable").querySelector("[data-copy-source]");
  const copied = (await write(source.textContent)) || copySelected(source);
  say(button, copied ? button.dataset.copied : button.dataset.failed);
}

async function write(text) {
  try {
    await navigator.clipboard.writeText(text);
    return true;
  } catch {
    return false; // there is no clipboard, or it is not allowed
  }
}

function copySelected(source) {
  window.getSelection().selectAllChildren(source);
  return document.execCommand("copy");
}

function say(button, words) {
  const word = button.querySelector("[data-copy-word]");
  button.dataset.word ??= word.textContent;
  word.textContent = announcement.textContent = words;
  clearTimeout(button.timer);
  button.timer = setTimeout(() => {
    word.textContent = button.dataset.word;
    announcement.textContent = ""; // so that the next copy is announced too
  }, SAID_FOR);
}

document.addEventListener("click", (event) => {
  const button = event.target.closest("[data-copy]");
  if (button) {
    copy(button);
  }
});

// Dropped, pasted and chosen pictures are sent one by one, each with a card of its own: it shows
// the progress, then what the server made of the file. Without this module the form sends them all.

const AT_ONCE = 3;
const form = document.querySelector("#upload");
const list = document.querySelector("#uploads");
const template = document.querySelector("#upload-row");
const announcement = document.querySelector("#announcement");
const queue = [];
let sending = 0;

function add(files) {
  for (const file of files) {
    const upload = { file, body: bodyFor(file), row: draw(file) };
    list.append(upload.row);
    if (file.size > Number(form.dataset.maxBytes)) {
      upload.row.dataset.when = "too-large";
    } else {
      wait(upload);
    }
  }
}

function bodyFor(file) {
  const body = new FormData(form);
  body.delete("image");
  body.append("image", file, file.name);
  return body;
}

function draw(file) {
  const row = template.content.firstElementChild.cloneNode(true);
  row.querySelector(".card-title").textContent = file.name;
  row.querySelector("progress").ariaLabel += ` ${file.name}`;
  const preview = row.querySelector("img");
  preview.alt = file.name;
  preview.addEventListener("load", () => (preview.hidden = false));
  // Never revoked: moved to its card, which comes in a document of its own, it is loaded anew.
  preview.src = URL.createObjectURL(file);
  return row;
}

function wait(upload) {
  upload.row.dataset.when = "waiting";
  queue.push(upload);
  sendSome();
}

function sendSome() {
  while (sending < AT_ONCE && queue.length) {
    const upload = queue.shift();
    sending += 1;
    send(upload).finally(() => {
      sending -= 1;
      sendSome();
    });
  }
}

async function send(upload) {
  upload.row.dataset.when = "sending";
  try {
    const answer = await post(upload);
    if ([201, 413, 422, 507].includes(answer.status)) {
      settle(upload, answer.responseText);
    } else {
      offerRetry(upload, "unanswered");
    }
  } catch {
    offerRetry(upload, "unsent");
  }
}

function post({ body, row }) {
  const progress = row.querySelector("progress");
  return new Promise((resolve, reject) => {
    const request = new XMLHttpRequest(); // fetch tells nothing of an upload's progress
    request.open("POST", form.action);
    request.setRequestHeader("HX-Request", "true");
    request.upload.addEventListener("progress", (event) => {
      progress.value = event.total ? event.loaded / event.total : 0;
    });
    request.upload.addEventListener("load", () => (row.dataset.when = "checking"));
    request.addEventListener("load", () => resolve(request));
    request.addEventListener("error", reject);
    request.send(body);
  });
}

function settle({ row }, html) {
  const holder = document.createElement("template");
  holder.innerHTML = html;
  const card = holder.content.firstElementChild;
  keepPreview(row, card);
  row.replaceWith(card);
  window.htmx.process(card);
  if (card.querySelector("[name=seen]")) {
    document.body.dispatchEvent(new Event("wake"));
  } else {
    // Refused, or answered at once: the page will not ask for it, so nothing else would say it.
    announcement.textContent = card.querySelector(".card-body").innerText;
  }
}

// The picture is on the screen already; the server's thumbnail is for what no browser can show.
function keepPreview(row, card) {
  const preview = row.querySelector("img");
  if (!preview.hidden) {
    card.querySelector(".card-picture").replaceChildren(preview);
  }
}

function offerRetry(upload, reason) {
  upload.row.dataset.when = reason;
  upload.row.querySelector("button").onclick = () => wait(upload);
}

function files(transfer) {
  return [...(transfer?.files ?? [])];
}

for (const input of form.querySelectorAll("input[type=file]")) {
  input.addEventListener("change", () => {
    add(input.files);
    input.value = "";
  });
}
document.addEventListener("paste", (event) => add(files(event.clipboardData)));
document.addEventListener("dragover", (event) => {
  if (event.dataTransfer.types.includes("Files")) {
    event.preventDefault();
    form.classList.add("is-over");
  }
});
document.addEventListener("dragleave", (event) => {
  if (!event.relatedTarget) {
    form.classList.remove("is-over");
  }
});
document.addEventListener("drop", (event) => {
  form.classList.remove("is-over");
  if (files(event.dataTransfer).length) {
    event.preventDefault();
    add(files(event.dataTransfer));
  }
});
window.addEventListener("beforeunload", (event) => {
  if (sending || queue.length) {
    event.preventDefault();
  }
});

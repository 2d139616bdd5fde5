// Shows the API's schema with Swagger UI, in the page's theme; what is tried out there goes with
// the session.

const place = document.querySelector("#swagger");
const root = document.documentElement;
const systemIsDark = matchMedia("(prefers-color-scheme: dark)");

function followTheme() {
  const theme = root.dataset.theme ?? "auto";
  const dark = theme === "auto" ? systemIsDark.matches : theme === "dark";
  root.classList.toggle("dark-mode", dark); // the name that its stylesheet looks for
}

followTheme();
systemIsDark.addEventListener("change", followTheme);
new MutationObserver(followTheme).observe(root, { attributeFilter: ["data-theme"] });

// Files in lists: it has no form of their own for them, takes the right one, and complains.
const filesInLists = (system) => ({
  components: {
    JsonSchema_string_binary: (props) =>
      system.React.createElement(system.getComponent("JsonSchema_string"), props),
  },
});

window.SwaggerUIBundle({
  domNode: place,
  url: place.dataset.schema,
  deepLinking: true,
  docExpansion: "list",
  defaultModelsExpandDepth: 0,
  presets: [window.SwaggerUIBundle.presets.apis],
  plugins: [filesInLists],
  layout: "BaseLayout",
  validatorUrl: null, // nobody else is told what is here
  requestInterceptor(request) {
    if (new URL(request.url, location.href).origin === location.origin) {
      request.headers["X-CSRFToken"] = place.dataset.csrf;
    }
    return request;
  },
});

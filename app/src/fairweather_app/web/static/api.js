// Starts Swagger UI; in a file of its own, because the page may run no script that it holds.
const place = document.getElementById("swagger-ui");
window.SwaggerUIBundle({
  domNode: place,
  url: place.dataset.document,
  deepLinking: false, // which would put a link into every button
  defaultModelsExpandDepth: 0,
  displayRequestDuration: true,
  validatorUrl: null, // which would ask another host
});

// Its colours follow the system, as those of every page.
const dark = window.matchMedia("(prefers-color-scheme: dark)");
const follow = () => document.documentElement.classList.toggle("dark-mode", dark.matches);
dark.addEventListener("change", follow);
follow();

// What the page was written with.

const content = JSON.parse(document.getElementById("content").textContent);
const byId = (id) => document.getElementById(id);

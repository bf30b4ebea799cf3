// What helps where script runs; every page works without.
"use strict";
const lang = document.documentElement.lang;
for (const show of document.querySelectorAll(".show")) {
  const input = document.getElementById(show.getAttribute("aria-controls"));
  show.hidden = false;
  show.onclick = () => {
    const shown = input.type === "password";
    input.type = shown ? "text" : "password";
    show.setAttribute("aria-pressed", shown);
  };
}
for (const advice of document.querySelectorAll(".advice")) {
  const input = document.getElementById(advice.dataset.for), plain = advice.textContent;
  const value = (id) => document.getElementById(id)?.value;
  let due, asked = 0;
  const ask = async () => {
    const mine = ++asked;
    const r = await fetch("/auth/password-check", {
      method: "POST", headers: { "Content-Type": "application/json" },
      body: JSON.stringify({ password: input.value, email: value("email"), firstName: value("firstName"), lastName: value("lastName") }),
    }).catch(() => null);
    const found = r?.ok ? (await r.json()).data : null;
    if (mine !== asked) return;
    advice.textContent = found ? advice.dataset[(found.reason || found.strength).replaceAll("_", "")] || plain : plain;
    advice.className = "advice" + (found ? found.accepted ? " good" : " bad" : "");
  };
  input.addEventListener("input", () => {
    clearTimeout(due);
    if (input.value) due = setTimeout(ask, 300);
  });
}
for (const form of document.forms) {
  form.addEventListener("submit", (e) => {
    if (form.dataset.sent) return e.preventDefault();
    form.dataset.sent = 1;
    form.querySelector("button:not(.show)").setAttribute("aria-disabled", true);
  });
}
for (const input of document.querySelectorAll("input[name=script]")) input.value = "runs";
addEventListener("pageshow", (e) => e.persisted && location.reload());
for (const t of document.querySelectorAll("time:not([data-ago])")) {
  t.textContent = new Date(t.dateTime).toLocaleString(lang, { dateStyle: "medium", timeStyle: "short" });
}

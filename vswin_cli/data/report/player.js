// Keep the current time: of the player if the video can be played, else of a playhead alone.

/**
 * Create a clock that follows the video if there is one and works alone if not.
 *
 * onTime(seconds) is called whenever the time changes.
 */
function createPlayer(content, onTime) {
  const video = document.getElementById("video");
  const note = document.getElementById("video-note");
  const picker = document.getElementById("video-file");
  let usable = false;
  let now = 0;

  function show(seconds) {
    now = Math.min(Math.max(seconds, 0), content.duration_seconds);
    onTime(now);
  }

  function seek(seconds) {
    show(seconds);
    const played = now + content.lead_seconds;
    if (usable) video.currentTime = Math.min(played, video.duration || played);
  }

  function setUsable(state) {
    usable = state;
    video.hidden = !state;
    document.body.classList.toggle("has-video", state);
    note.hidden = state;
  }

  video.addEventListener("loadedmetadata", () => {
    setUsable(video.videoWidth > 0);
    seek(now);
  });
  video.addEventListener("error", () => setUsable(false));
  video.addEventListener("timeupdate", () => {
    if (usable && !video.seeking) show(video.currentTime - content.lead_seconds);
  });
  function follow() {
    if (video.paused || video.ended) return;
    if (usable && !video.seeking) show(video.currentTime - content.lead_seconds);
    requestAnimationFrame(follow);
  }
  video.addEventListener("play", follow);
  picker.addEventListener("change", () => {
    if (picker.files.length) video.src = URL.createObjectURL(picker.files[0]);
  });
  setUsable(false);
  if (content.video_url) video.src = content.video_url;

  return {
    seek,
    time: () => now,
    toggle() {
      if (!usable) return;
      if (video.paused) video.play().catch(() => {});
      else video.pause();
    },
  };
}

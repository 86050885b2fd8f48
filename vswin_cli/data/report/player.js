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
  const still = document.getElementById("still");
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

  /** Show the player, or a still with a note; before a video is loaded, neither note nor still. */
  function setUsable(state) {
    usable = state;
    video.hidden = !state;
    document.body.classList.toggle("has-video", state);
    note.hidden = state;
    drawStill(now);
  }

  /** Show the frame nearest to a time where the video itself cannot be played. */
  function drawStill(seconds) {
    const image = note.hidden ? null : imageNear(seconds, Infinity);
    still.hidden = !image;
    if (image && still.src !== image.url) still.src = image.url;
  }

  function beginLoading() {
    const { width, height, rotation } = content.record.video;
    const isTurned = rotation % 180 !== 0;
    if (width && height) video.style.aspectRatio = isTurned ? `${height} / ${width}` : `${width} / ${height}`;
    const first = imageNear(0, Infinity);
    if (first) video.poster = first.url;
    video.hidden = false;
    video.src = content.video_url;
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
  if (content.video_url) beginLoading();
  else setUsable(false);

  return {
    seek,
    drawStill,
    time: () => now,
    toggle() {
      if (!usable) return;
      if (video.paused) video.play().catch(() => {});
      else video.pause();
    },
  };
}

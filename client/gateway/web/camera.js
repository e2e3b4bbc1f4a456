// One picture from a camera, in a dialog.
import {byId} from './dom.js';
import {say} from './i18n.js';

const FAILURES = {NotFoundError: 'cameraNone', OverconstrainedError: 'cameraNone', NotAllowedError: 'cameraDenied'};

// take(blob) gets the square in the middle of what the camera sees.
export function offerCamera(take) {
  const dialog = byId('camera-dialog');
  const video = byId('camera-video');
  const button = byId('camera-take');
  let stream = null;
  let turn = 0;  // of the dialog; a camera that comes for an earlier one is let go

  const stop = () => {
    ++turn;
    for (const track of stream?.getTracks() ?? []) track.stop();
    stream = video.srcObject = null;
  };

  byId('camera').addEventListener('click', async () => {
    say('camera-notice', null);
    button.disabled = true;
    stop();
    dialog.showModal();
    if (!navigator.mediaDevices) {
      say('camera-notice', 'cameraInsecure');
      return;
    }
    const mine = turn;
    try {
      const opened = await navigator.mediaDevices.getUserMedia({video: {facingMode: 'environment'}});
      if (mine === turn) stream = video.srcObject = opened;
      else for (const track of opened.getTracks()) track.stop();
    } catch (error) {
      if (mine !== turn) return;
      const why = error.message || error.name;
      say('camera-notice', FAILURES[error.name] ?? 'cameraFailed', {why});
    }
  });
  video.addEventListener('loadeddata', () => (button.disabled = false));
  button.addEventListener('click', () => {
    const side = Math.min(video.videoWidth, video.videoHeight);
    const canvas = Object.assign(document.createElement('canvas'), {width: side, height: side});
    canvas.getContext('2d').drawImage(video, (video.videoWidth - side) / 2, (video.videoHeight - side) / 2, side, side,
      0, 0, side, side);
    dialog.close();
    canvas.toBlob(take, 'image/jpeg', 0.92);
  });
  byId('camera-close').addEventListener('click', () => dialog.close());
  dialog.addEventListener('close', () => dialog.open || stop());  // the event comes late: it may be open again
}

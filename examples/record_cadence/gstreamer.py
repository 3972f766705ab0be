"""What gst-launch-1.0 playbin does, and pauses, resumes and stops as standard input says."""

import sys
import threading

import gi

gi.require_version("Gst", "1.0")
from gi.repository import GLib, Gst  # noqa: E402

Gst.init(None)
player = Gst.ElementFactory.make("playbin")
player.set_property("uri", sys.argv[1])
for kind in ("video", "audio"):
    sink = Gst.ElementFactory.make("fakesink")
    sink.set_property("sync", True)  # at the pace of real time
    player.set_property(f"{kind}-sink", sink)
loop = GLib.MainLoop()
paused = False


def on_message(_, message):
    if message.type in (Gst.MessageType.ERROR, Gst.MessageType.EOS):
        print(message.type, message.get_structure() and message.get_structure().to_string(), file=sys.stderr)
        loop.quit()
    # Not live to GStreamer, so it asks to be paused while it buffers: so do its players.
    if message.type == Gst.MessageType.BUFFERING and not paused:
        full = message.parse_buffering() == 100
        player.set_state(Gst.State.PLAYING if full else Gst.State.PAUSED)


def read():
    global paused
    for line in sys.stdin:
        word = line.strip()
        paused = word == "pause"
        if word == "stop":
            loop.quit()
        else:
            player.set_state(Gst.State.PAUSED if paused else Gst.State.PLAYING)


bus = player.get_bus()
bus.add_signal_watch()
bus.connect("message", on_message)
threading.Thread(target=read, daemon=True).start()
player.set_state(Gst.State.PLAYING)
loop.run()
player.set_state(Gst.State.NULL)

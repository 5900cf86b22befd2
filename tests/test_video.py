"""Videos as pictures: which frames there are, what they are called, and what is said of those that cannot be read."""

import struct
import sys
from collections.abc import Iterator
from itertools import islice
from pathlib import Path

import numpy as np
import pytest

from oddlens.errors import ImageError, UsageError
from oddlens.video import Video, VideoFrame, with_frames
from small_video import av, drive, write_video


@pytest.fixture
def video(tmp_path: Path) -> Path:
    return write_video(tmp_path / "drive.mp4", drive(12))


class TestFrames:
    def test_every_frame_is_a_picture_with_a_name(self, video: Path) -> None:
        frames = Video(video).frames
        assert len(frames) == 12
        assert str(frames[7]) == f"{video}#000007"
        assert frames[7].stem == "drive-000007"
        picture = frames[7].read()
        assert picture.source == str(frames[7])
        assert picture.size == (64, 48)

    def test_they_are_what_was_filmed_in_whatever_order_they_are_read(self, video: Path) -> None:
        filmed, frames = drive(12), Video(video).frames
        for number in (0, 1, 5, 3, 11, 11, 0):
            found = frames[number].read().pixels
            assert np.abs(found.astype(int) - filmed[number]).mean() < 4
            assert found.flags["C_CONTIGUOUS"]

    def test_frames_that_are_read_in_order_are_decoded_once(self, video: Path, monkeypatch: pytest.MonkeyPatch) -> None:
        opened, decode = [], Video._decode
        monkeypatch.setattr(Video, "_decode", lambda self: opened.append(1) or decode(self))
        for frame in Video(video, every=3).frames:
            frame.read()
        assert len(opened) == 1

    def test_every_nth_keeps_its_number(self, video: Path) -> None:
        assert [frame.number for frame in Video(video, every=5).frames] == [0, 5, 10]
        assert np.array_equal(Video(video, every=5).frames[1].read().pixels, Video(video).frames[5].read().pixels)

    def test_frames_stand_where_their_video_stood(self, video: Path, tmp_path: Path) -> None:
        found = with_frames([tmp_path / "a.png", video, tmp_path / "b.png"], every=6)
        assert [str(each) for each in found] == [
            str(tmp_path / "a.png"), f"{video}#000000", f"{video}#000006", str(tmp_path / "b.png"),
        ]  # fmt: skip
        assert isinstance(found[1], VideoFrame)

    @pytest.mark.parametrize("turn", [1, 2, 3])
    def test_a_camera_that_was_held_on_its_side_gives_upright_pictures(self, video: Path, turn: int) -> None:
        """The file says by a matrix how it is to be shown; here by quarters of a turn clockwise."""
        one, minus_one = 1 << 16, -(1 << 16)
        matrix = {1: (0, one, minus_one, 0), 2: (minus_one, 0, 0, minus_one), 3: (0, minus_one, one, 0)}[turn]
        data = bytearray(video.read_bytes())
        place = data.index(b"tkhd") + 4 + 40  # after version, times, id, duration, layer, group and volume
        a, b, c, d = matrix
        data[place : place + 36] = struct.pack(">9i", a, b, 0, c, d, 0, 0, 0, 1 << 30)
        plain = Video(video).frames[3].read().pixels
        video.write_bytes(data)
        assert np.array_equal(Video(video).frames[3].read().pixels, np.rot90(plain, -turn))


class TestFaults:
    def test_without_pyav_one_sentence_says_what_to_install(self, video: Path, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setitem(sys.modules, "av", None)
        with pytest.raises(
            UsageError, match=r"drive.mp4 is a video, and reading it needs PyAV: pip install 'oddlens\[video\]'"
        ):
            Video(video)

    @pytest.mark.parametrize("content", [b"", b"no video at all" * 100])
    def test_a_file_that_is_no_video_is_told(self, tmp_path: Path, content: bytes) -> None:
        (tmp_path / "drive.mp4").write_bytes(content)
        with pytest.raises(ImageError, match=r"drive\.mp4 holds no video that can be read"):
            Video(tmp_path / "drive.mp4")

    def test_a_file_of_sound_alone_is_told(self, tmp_path: Path) -> None:
        with av.open(str(tmp_path / "drive.mkv"), "w") as container:
            stream = container.add_stream("pcm_s16le", rate=8000, layout="mono")
            sound = av.AudioFrame.from_ndarray(np.zeros((1, 800), np.int16), layout="mono")
            sound.sample_rate = 8000
            container.mux(stream.encode(sound))
            container.mux(stream.encode())
        with pytest.raises(ImageError, match=r"drive\.mkv holds no video that can be read"):
            Video(tmp_path / "drive.mkv")

    def test_a_frame_beyond_the_end_is_told(self, video: Path) -> None:
        with pytest.raises(ImageError, match=r"drive.mp4#000012 is not there: the video ends before it"):
            VideoFrame(Video(video), 12).read()

    def test_frames_before_the_damage_can_be_read(self, video: Path) -> None:
        opened = Video(video)
        data = video.read_bytes()
        video.write_bytes(data[:60])  # cut off while it is being looked at
        with pytest.raises(ImageError, match=r"drive\.mp4#000003 cannot be decoded"):
            opened.frames[3].read()

    def test_a_file_that_was_away_for_a_while_is_not_taken_for_damaged(self, video: Path) -> None:
        frames = Video(video).frames
        frames[5].read()
        away = video.rename(video.with_name("away.mp4"))
        with pytest.raises(ImageError, match=r"drive\.mp4#000002 cannot be read \(No such file or directory\)"):
            frames[2].read()
        away.rename(video)
        assert np.abs(frames[7].read().pixels.astype(int) - drive(12)[7]).mean() < 4

    def test_what_lies_behind_the_damage_is_not_decoded_up_to_it_again(
        self, video: Path, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        opened, decode = [], Video._decode

        def damaged(self: Video) -> Iterator[object]:
            opened.append(1)
            yield from islice(decode(self), 5)
            raise av.InvalidDataError(1, "damaged")

        monkeypatch.setattr(Video, "_decode", damaged)
        frames = Video(video).frames
        frames[4].read()
        for frame in frames[5:]:
            with pytest.raises(ImageError, match=f"{frame.number:06d} cannot be decoded: the video is damaged"):
                frame.read()
        assert len(opened) == 1
        assert np.abs(frames[2].read().pixels.astype(int) - drive(12)[2]).mean() < 4

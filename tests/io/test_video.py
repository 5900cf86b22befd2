"""Videos as images: which frames there are, what they are called, and what is said of those that cannot be read."""

import struct
import sys
from pathlib import Path

import numpy as np
import pytest

from oddlens.errors import ImageError, UsageError
from oddlens.io.inputs import each_input
from oddlens.io.video import Video, VideoFrame, read_named_frame, with_frames
from tests.small_video import av, broken, drive, write_video


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
        frames = Video(video, every=3).frames
        opened, open_file = [], av.open
        monkeypatch.setattr(av, "open", lambda *given, **named: opened.append(1) or open_file(*given, **named))
        for frame in frames:
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

    def test_in_python_the_path_of_a_video_means_its_frames(self, video: Path, tmp_path: Path) -> None:
        (tmp_path / "no.mp4").write_bytes(b"no video")
        found = list(each_input([str(video), tmp_path / "no.mp4"]))
        assert [each.source for each in found] == [f"{video}#{number:06d}" for number in range(12)] + [
            str(tmp_path / "no.mp4")
        ]
        assert all(each.in_order for each in found[:12])
        assert np.array_equal(found[5].read().pixels, Video(video).read(5).pixels)
        with pytest.raises(UsageError, match=r"no\.mp4 holds no video that can be read"):
            found[12].read()

    def test_a_frame_is_read_again_by_its_name_alone(self, video: Path, tmp_path: Path) -> None:
        frame = read_named_frame(f"{video}#000007")
        assert frame is not None
        assert np.array_equal(frame.pixels, Video(video).read(7).pixels)
        file = tmp_path / "drive.mp4#000003"  # a file of just this name is no frame
        file.write_bytes(b"")
        for other in (str(file), str(video), f"{video}#last", f"{tmp_path / 'gone.mp4'}#000001", "image 3"):
            assert read_named_frame(other) is None

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
    def test_a_file_that_is_no_video_is_reported(self, tmp_path: Path, content: bytes) -> None:
        (tmp_path / "drive.mp4").write_bytes(content)
        with pytest.raises(ImageError, match=r"drive\.mp4 holds no video that can be read"):
            Video(tmp_path / "drive.mp4")

    def test_a_file_of_sound_alone_is_reported(self, tmp_path: Path) -> None:
        with av.open(str(tmp_path / "drive.mkv"), "w") as container:
            stream = container.add_stream("pcm_s16le", rate=8000, layout="mono")
            sound = av.AudioFrame.from_ndarray(np.zeros((1, 800), np.int16), layout="mono")
            sound.sample_rate = 8000
            container.mux(stream.encode(sound))
            container.mux(stream.encode())
        with pytest.raises(ImageError, match=r"drive\.mkv holds no video, only sound or the like: leave it out"):
            Video(tmp_path / "drive.mkv")

    def test_a_frame_beyond_the_end_is_reported(self, video: Path) -> None:
        with pytest.raises(ImageError, match=r"drive.mp4#000012 is not there: the video ends before it"):
            VideoFrame(Video(video), 12).read()

    def test_a_file_that_changes_while_it_is_read_is_reported(self, video: Path) -> None:
        opened = Video(video)
        video.write_bytes(video.read_bytes()[:60])
        with pytest.raises(ImageError, match=r"drive\.mp4#000003 cannot be decoded any more: the video changed"):
            opened.frames[3].read()
        write_video(video, drive(3))
        assert opened.frames[2].read().size == (64, 48)
        with pytest.raises(ImageError, match=r"drive\.mp4#000003 is not there any more: the video changed"):
            opened.frames[3].read()

    def test_a_folder_and_a_file_without_permission_are_reported(self, tmp_path: Path) -> None:
        (tmp_path / "folder.mp4").mkdir()
        with pytest.raises(ImageError, match=r"folder\.mp4 cannot be read \(Is a directory\): check the file"):
            Video(tmp_path / "folder.mp4")

    def test_a_file_that_was_away_for_a_while_is_not_taken_for_damaged(self, video: Path) -> None:
        frames = Video(video).frames
        frames[5].read()
        away = video.rename(video.with_name("away.mp4"))
        with pytest.raises(ImageError, match=r"drive\.mp4#000002 cannot be read \(No such file or directory\)"):
            frames[2].read()
        away.rename(video)
        assert np.abs(frames[7].read().pixels.astype(int) - drive(12)[7]).mean() < 4


def similar(found: np.ndarray, filmed: np.ndarray) -> bool:
    return bool(np.abs(found.astype(int) - filmed).mean() < 4)


def test_while_frames_are_counted_it_is_reported_how_many_there_are(video: Path) -> None:
    told: list[tuple[Path, int, int]] = []
    with_frames([video], advance=lambda *counted: told.append(counted))
    assert told == [(video, number, 12) for number in range(1, 13)]


class TestWhatDecodingGives:
    """Frames are what comes out of a decoder, whatever a file says of itself."""

    def test_frames_that_an_edit_list_cuts_off_are_none(self, video: Path) -> None:
        data = bytearray(video.read_bytes())
        scale = data.index(b"mdhd") + 4 + 12
        (ticks,) = struct.unpack_from(">I", data, scale)  # a second of the stream's own time
        start = data.index(b"elst") + 4 + 8 + 4  # version, count, then the length and the start of the first edit
        struct.pack_into(">i", data, start, ticks * 5 // 10)
        video.write_bytes(data)
        frames = Video(video).frames
        with av.open(str(video)) as container:
            packets = sum(packet.size > 0 for packet in container.demux(video=0))
        assert packets == 12
        assert len(frames) == 7
        for frame, filmed in zip(frames, drive(12)[5:], strict=True):
            assert similar(frame.read().pixels, filmed)

    @pytest.mark.parametrize(("codec", "suffix"), [("libx264", "ts"), ("libvpx-vp9", "webm"), ("mpeg2video", "ts")])
    def test_a_video_that_starts_between_key_frames_begins_with_the_next_one(
        self, tmp_path: Path, codec: str, suffix: str
    ) -> None:
        path = write_video(
            tmp_path / f"drive.{suffix}", drive(24), codec, key_every=8, change=lambda _, packets: packets[4:]
        )
        frames = Video(path).frames
        assert len(frames) == 16
        for frame, filmed in zip(frames, drive(24)[8:], strict=True):
            assert similar(frame.read().pixels, filmed)

    @pytest.mark.parametrize(("codec", "suffix"), [("mpeg4", "mp4"), ("libvpx-vp9", "webm")])
    def test_a_broken_packet_does_not_end_a_video_and_is_noted(self, tmp_path: Path, codec: str, suffix: str) -> None:
        path = write_video(tmp_path / f"drive.{suffix}", drive(24), codec, key_every=8, change=broken({11}))
        frames = Video(path).frames
        assert len(frames) == 23
        pictures = [frame.read() for frame in frames]
        notes = {number: picture.note for number, picture in enumerate(pictures) if picture.note is not None}
        assert notes == {11: "what comes before it in the video cannot be decoded"}
        assert similar(pictures[10].pixels, drive(24)[10])
        assert similar(pictures[-1].pixels, drive(24)[-1])

    def test_several_broken_packets_lose_no_frame_behind_them(self, tmp_path: Path) -> None:
        """As decoders do that work on several frames at once."""
        path = write_video(tmp_path / "drive.webm", drive(24), "libvpx-vp9", key_every=8, change=broken({8, 9, 10}))
        frames = Video(path).frames
        assert similar(frames[-1].read().pixels, drive(24)[-1])
        assert similar(frames[7].read().pixels, drive(24)[7])
        assert all(frame.read().size == (64, 48) for frame in frames)

    def test_broken_packets_at_the_end_are_noted_of_the_last_frame(self, tmp_path: Path) -> None:
        path = write_video(tmp_path / "drive.mp4", drive(12), change=broken({10, 11}))
        frames = Video(path).frames
        assert len(frames) == 10
        assert frames[8].read().note is None
        assert frames[9].read().note == "what comes after it in the video cannot be decoded"

    def test_a_frame_that_a_decoder_could_only_guess_is_noted(self, tmp_path: Path) -> None:
        path = write_video(tmp_path / "drive.ts", drive(24), "mpeg2video", change=broken({11}))
        assert "its data in the video are damaged" in [frame.read().note for frame in Video(path).frames]

    def test_a_video_of_which_nothing_can_be_decoded_is_reported(self, tmp_path: Path) -> None:
        path = write_video(tmp_path / "drive.mp4", drive(3), change=broken({0, 1, 2}))
        with pytest.raises(
            ImageError, match=r"drive\.mp4 holds a video of which no frame can be decoded: check the file"
        ):
            Video(path)

    def test_a_name_that_looks_like_an_address_is_a_file(self, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.chdir(tmp_path)
        write_video(Path("drive.mp4"), drive(5)).rename("http:drive 1.mp4")
        assert len(Video(Path("http:drive 1.mp4")).frames) == 5


def test_titles_that_are_no_text_keep_no_video_from_being_read(tmp_path: Path) -> None:
    path = tmp_path / "drive.mkv"
    with av.open(str(path), "w") as container:
        container.metadata["title"] = "A TITLE"
        stream = container.add_stream("mpeg4", rate=10)
        stream.width, stream.height, stream.pix_fmt = 64, 48, "yuv420p"
        for frame in drive(2):
            container.mux(stream.encode(av.VideoFrame.from_ndarray(frame, format="rgb24")))
        container.mux(stream.encode())
    assert b"A TITLE" in path.read_bytes()
    path.write_bytes(path.read_bytes().replace(b"A TITLE", b"\xff\xfe\xff\xfe\xff\xfe\xff"))
    assert len(Video(path).frames) == 2

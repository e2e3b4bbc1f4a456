#include "model/archive/file_kind.h"

#include <algorithm>

#include "absl/strings/ascii.h"
#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"

namespace digit {
namespace {

constexpr absl::string_view kSaveAgain =
    "in Python, save the PyTorch model with torch.save(model.state_dict(), FILE) or torch.jit.script(model).save(FILE)";
constexpr absl::string_view kLooksWrong = "give a .pt file written by digit-train or PyTorch";

struct Signature {
  size_t offset;
  absl::string_view bytes;
  absl::string_view what;
  absl::string_view advice;
};

using namespace std::string_view_literals;

constexpr absl::string_view Bytes(std::string_view text) { return absl::string_view(text.data(), text.size()); }

// The first that matches counts, so longer signatures stand first. Sources: the formats' own specifications.
constexpr Signature kSignatures[] = {
    {0, Bytes("\x80\x02"sv), "a plain Python pickle", kSaveAgain},
    {0, Bytes("\x80\x03"sv), "a plain Python pickle", kSaveAgain},
    {0, Bytes("\x80\x04"sv), "a plain Python pickle", kSaveAgain},
    {0, Bytes("\x80\x05"sv), "a plain Python pickle", kSaveAgain},
    {0, Bytes("\x93NUMPY"sv), "a NumPy array (.npy)", kSaveAgain},
    {0, Bytes("\x89HDF\r\n\x1a\n"sv), "an HDF5 file, perhaps of Keras", kSaveAgain},
    {0, Bytes("\x08\x01\x12"sv), "a TensorFlow SavedModel", kSaveAgain},
    {4, Bytes("TFL3"sv), "a TensorFlow Lite model", kSaveAgain},
    {4, Bytes("ORTM"sv), "an ONNX Runtime model", kSaveAgain},
    {0, Bytes("GGUF"sv), "a GGUF model", kSaveAgain},
    {0, Bytes("\x1f\x8b"sv), "a gzip file", "unpack it first: gunzip FILE"},
    {0, Bytes("BZh"sv), "a bzip2 file", "unpack it first"},
    {0, Bytes("\xfd\x37zXZ"sv), "an xz file", "unpack it first"},
    {0, Bytes("7z\xbc\xaf\x27\x1c"sv), "a 7-Zip file", "unpack it first"},
    {0, Bytes("\x28\xb5\x2f\xfd"sv), "a zstd file", "unpack it first"},
    {257, Bytes("ustar"sv), "a tar archive", "unpack it first"},
    {0, Bytes("\x89PNG"sv), "a picture (PNG)", kLooksWrong},
    {0, Bytes("\xff\xd8\xff"sv), "a picture (JPEG)", kLooksWrong},
    {0, Bytes("GIF8"sv), "a picture (GIF)", kLooksWrong},
    {0, Bytes("BM"sv), "a picture (BMP)", kLooksWrong},
    {0, Bytes("RIFF"sv), "a picture (WebP)", kLooksWrong},
    {0, Bytes("%PDF"sv), "a PDF document", kLooksWrong},
    {0, Bytes("\x7f\x45\x4c\x46"sv), "a program (ELF)", kLooksWrong},
    {0, Bytes("\x00\x00\x08\x03"sv), "an IDX file of images, a data set", kLooksWrong},
    {0, Bytes("\x00\x00\x08\x01"sv), "an IDX file of labels, a data set", kLooksWrong},
    {0, Bytes("version https://git-lfs"sv), "a Git LFS pointer, not the model itself", "fetch it with: git lfs pull"},
};

constexpr absl::string_view kLegacyTorchMagic = Bytes("\x80\x02\x8a\x0a\x6c\xfc\x9c\x46\xf9\x20\x6a\xa8\x50\x19"sv);

// ModelProto: ir_version (field 1, 3 to 15 so far), then another of its first eight fields.
bool LooksLikeOnnx(absl::string_view bytes) {
  if (bytes.size() < 4 || bytes[0] != 0x08 || bytes[1] < 3 || bytes[1] > 15) return false;
  return absl::StrContains("\x12\x1a\x22\x28\x32\x3a\x42", absl::string_view(&bytes[2], 1));
}

// An eight-byte length, then a JSON object of that length.
bool LooksLikeSafetensors(absl::string_view bytes) {
  return bytes.size() > 9 && bytes[8] == '{' && bytes[5] == 0 && bytes[6] == 0 && bytes[7] == 0;
}

bool LooksLikeText(absl::string_view bytes) {
  const absl::string_view head = bytes.substr(0, 512);
  return std::all_of(head.begin(), head.end(), [](char c) {
    const auto byte = static_cast<unsigned char>(c);
    return byte >= 0x80 || absl::ascii_isprint(byte) || absl::ascii_isspace(byte);
  });
}

absl::Status FileIs(absl::string_view what, absl::string_view advice) {
  return absl::InvalidArgumentError(absl::StrCat("the file is ", what, ", not a PyTorch model: ", advice));
}

}  // namespace

absl::Status NotAnArchive(absl::string_view bytes) {
  if (bytes.empty()) {
    return absl::InvalidArgumentError("the file is empty (0 bytes): copy or save it again");
  }
  if (absl::StartsWith(bytes, kLegacyTorchMagic)) {
    return absl::InvalidArgumentError(
        "the file was written by torch.save in its form from before PyTorch 1.6: in Python, load it and save it again, "
        "torch.save(torch.load(FILE), NEW_FILE)");
  }
  for (const Signature& known : kSignatures) {
    if (bytes.size() >= known.offset && absl::StartsWith(bytes.substr(known.offset), known.bytes)) {
      return FileIs(known.what, known.advice);
    }
  }
  if (LooksLikeOnnx(bytes)) return FileIs("an ONNX model", kSaveAgain);
  if (LooksLikeSafetensors(bytes)) return FileIs("a safetensors file", kSaveAgain);
  if (LooksLikeText(bytes)) return FileIs("text", kLooksWrong);
  return FileIs("of an unknown kind", kLooksWrong);
}

}  // namespace digit

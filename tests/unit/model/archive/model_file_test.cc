#include "model/archive/model_file.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <filesystem>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "base/file.h"
#include "tests/unit/model/archive/pickle_writer.h"
#include "tests/unit/model/archive/test_archive.h"

namespace digit {
namespace {

using ::testing::AllOf;
using ::testing::HasSubstr;
using ::testing::Not;
using namespace std::string_view_literals;

std::string SmallPickle() {
  return pickle::kProto2 +
         pickle::Dict({pickle::Text("w"),
                       pickle::Tensor({.storage_elements = 6, .offset = 0, .shape = {2, 3}, .strides = {3, 1}})}) +
         ".";
}

std::string SmallScriptPickle() {
  return pickle::kProto2 + pickle::Global("__torch__", "Net") + pickle::kNewObject + "}(" + pickle::Text("w") +
         pickle::Tensor({.storage_elements = 6, .offset = 0, .shape = {6}, .strides = {1}}) + "ub.";
}

std::string ErrorOf(absl::string_view bytes) { return std::string(ParseModelFile(bytes).status().message()); }

bool SameTensors(const ModelFile& a, const ModelFile& b) {
  if (a.tensors.size() != b.tensors.size()) return false;
  for (size_t i = 0; i < a.tensors.size(); ++i) {
    if (a.tensors[i].name != b.tensors[i].name || a.tensors[i].shape != b.tensors[i].shape ||
        a.tensors[i].values != b.tensors[i].values) {
      return false;
    }
  }
  return true;
}

TEST(ModelFileTest, TellsTheTwoKindsApart) {
  const auto state_dict = ParseModelFile(WriteZip(StateDictEntries(SmallPickle(), Floats(6))));
  ASSERT_TRUE(state_dict.ok()) << state_dict.status();
  EXPECT_EQ(state_dict->kind, ModelFile::Kind::kStateDict);
  EXPECT_EQ(state_dict->model_json, "");
  const auto script = ParseModelFile(WriteZip(TorchScriptEntries(SmallScriptPickle(), Floats(6))));
  ASSERT_TRUE(script.ok()) << script.status();
  EXPECT_EQ(script->kind, ModelFile::Kind::kTorchScript);
  EXPECT_EQ(script->model_json, "{\"format\": 1}");
}

TEST(ModelFileTest, NamesWhatOtherFilesAre) {
  const std::string ustar = std::string(257, '\0') + "ustar";
  const std::string safetensors = std::string("\x40\0\0\0\0\0\0\0", 8) + "{\"w\":{\"dtype\":\"F32\"}}";
  const std::pair<std::string_view, const char*> kFiles[] = {
      {""sv, "is empty (0 bytes)"},
      {"\x80\x02\x8a\x0al\xfc\x9c\x46\xf9 j\xa8P\x19.\x80\x02"sv, "before PyTorch 1.6"},
      {"\x80\x02}q\x00."sv, "a plain Python pickle"},
      {"\x80\x04\x95\x00"sv, "a plain Python pickle"},
      {"\x93NUMPY\x01\x00"sv, "NumPy array (.npy)"},
      {"\x08\x07\x12\x07pytorch"sv, "an ONNX model"},
      {"\x08\x01\x12\x80\x01"sv, "a TensorFlow SavedModel"},
      {"\x1c\x00\x00\x00TFL3"sv, "a TensorFlow Lite model"},
      {"\x89HDF\r\n\x1a\n"sv, "an HDF5 file"},
      {"\x1f\x8b\x08\x00"sv, "a gzip file"},
      {"\x89PNG\r\n\x1a\n"sv, "a picture (PNG)"},
      {"\xff\xd8\xff\xe0"sv, "a picture (JPEG)"},
      {"\x00\x00\x08\x03\x00\x00"sv, "an IDX file of images"},
      {"version https://git-lfs.github.com/spec/v1\noid sha256:0\n"sv, "git lfs pull"},
      {"import torch\n"sv, "is text"},
      {"{\"labels\": []}"sv, "is text"},
      {"\x01\x02\x03\x04"sv, "of an unknown kind"},
      {ustar, "a tar archive"},
      {safetensors, "a safetensors file"},
  };
  for (const auto& [bytes, expected] : kFiles) {
    EXPECT_THAT(ErrorOf(absl::string_view(bytes.data(), bytes.size())),
                AllOf(HasSubstr(expected), HasSubstr(": "), Not(HasSubstr("\n"))));
  }
}

TEST(ModelFileTest, NamesWhatOtherZipsAre) {
  EXPECT_THAT(ErrorOf(WriteZip({Entry("arr_0.npy", "x")})), HasSubstr("NumPy archive (.npz)"));
  EXPECT_THAT(ErrorOf(WriteZip({Entry("config.json", "x"), Entry("model.weights.h5", "x")})), HasSubstr("Keras"));
  EXPECT_THAT(ErrorOf(WriteZip({Entry("word/document.xml", "x")})), HasSubstr("zip without data.pkl"));
  EXPECT_THAT(ErrorOf(WriteZip({}, {.zip64 = false})), HasSubstr("zip without data.pkl"));
  EXPECT_THAT(ErrorOf(WriteZip({Entry("data.pkl", "x")})), HasSubstr("zip without data.pkl"));
}

TEST(ModelFileTest, RefusesRecordsOutsideOfTheArchivesFolder) {
  auto entries = StateDictEntries(SmallPickle(), Floats(6));
  entries.push_back(Entry("other/data.pkl", "x"));
  EXPECT_THAT(ErrorOf(WriteZip(entries)), HasSubstr("'other/data.pkl' lies outside of 'm/'"));
}

TEST(ModelFileTest, RefusesCompressedRecordsOutsideOfCode) {
  auto entries = StateDictEntries(SmallPickle(), Floats(6));
  entries[1].method = 8;
  EXPECT_THAT(ErrorOf(WriteZip(entries)), HasSubstr("'m/data/0' is compressed; use the original file"));
}

TEST(ModelFileTest, RefusesBigEndianFiles) {
  auto entries = StateDictEntries(SmallPickle(), Floats(6));
  entries.push_back(Entry("m/byteorder", "little"));
  EXPECT_TRUE(ParseModelFile(WriteZip(entries)).ok());
  entries.back().data = "big";
  EXPECT_THAT(ErrorOf(WriteZip(entries)), HasSubstr("big-endian machine"));
}

TEST(ModelFileTest, RefusesTorchScriptWithoutCode) {
  auto entries = StateDictEntries(SmallScriptPickle(), Floats(6));
  entries.push_back(Entry("m/constants.pkl", "\x80\x02)."));
  EXPECT_THAT(ErrorOf(WriteZip(entries)), HasSubstr("TorchScript without its code/"));
}

TEST(ModelFileTest, SaysWhatTorchScriptWithoutItsConstantsIs) {  // and not "a whole pickled model"
  auto entries = TorchScriptEntries(SmallScriptPickle(), Floats(6));
  std::erase_if(entries, [](const ZipEntry& entry) { return entry.name == "m/constants.pkl"; });
  EXPECT_THAT(ErrorOf(WriteZip(entries)), HasSubstr("TorchScript without its constants.pkl"));
}

// The file of SmallScriptPickle() with the record `name` set to `data`, or without it.
std::string ScriptWith(const std::string& name, const char* data, size_t size) {
  auto entries = TorchScriptEntries(SmallScriptPickle(), Floats(6));
  std::erase_if(entries, [&name](const ZipEntry& entry) { return entry.name == name; });
  if (data != nullptr) entries.push_back(Entry(name, std::string(data, size)));
  return WriteZip(entries);
}
std::string ScriptWith(const std::string& name, const std::string& data) {
  return ScriptWith(name, data.data(), data.size());
}

TEST(ModelFileTest, LooksAtWhatLibTorchReadsBeforeItRunsAnything) {
  EXPECT_TRUE(ParseModelFile(ScriptWith("m/version", "10")).ok());
  for (const char* version : {"", "\n", "99999999999999999999", "-1", "3 3", "x"}) {
    EXPECT_THAT(ErrorOf(ScriptWith("m/version", version)), HasSubstr("no small number")) << version;
  }
  EXPECT_THAT(ErrorOf(ScriptWith("m/version", nullptr, 0)), HasSubstr("without its record version"));
  EXPECT_THAT(ErrorOf(ScriptWith("m/.data/version", "x")), HasSubstr("no small number"));
  EXPECT_THAT(ErrorOf(ScriptWith("m/model.json", "{}")), HasSubstr("PyTorch 1.3 or older"));
  EXPECT_THAT(ErrorOf(ScriptWith("m/constants.pkl", "")),
              AllOf(HasSubstr("does not start with PROTO"), HasSubstr("(in constants.pkl)")));
  EXPECT_THAT(ErrorOf(ScriptWith("m/constants.pkl", pickle::kProto2 + pickle::Global("os", "system") + ".")),
              HasSubstr("'os.system'"));
  EXPECT_THAT(ErrorOf(ScriptWith("m/constants.pkl", pickle::kProto2 + std::string("]."))),
              HasSubstr("its constants are no tuple"));
}

TEST(ModelFileTest, StoragesOfEveryTypeMustHoldWhatThePickleSays) {
  for (const char* type : {"Float", "Double", "Long", "Half", "Byte"}) {
    const auto constants = [type](int64_t elements) {
      return pickle::kProto2 +
             pickle::Tensor({.storage_class = std::string(type) + "Storage",
                             .storage_elements = elements,
                             .shape = {1},
                             .strides = {1}}) +
             "\x85.";
    };
    auto entries = TorchScriptEntries(SmallScriptPickle(), Floats(6));
    std::erase_if(entries, [](const ZipEntry& entry) { return entry.name == "m/constants.pkl"; });
    entries.push_back(Entry("m/constants.pkl", constants(1)));
    EXPECT_THAT(ErrorOf(WriteZip(entries)), HasSubstr("'m/constants/0' with values of a tensor is missing")) << type;
    entries.push_back(Entry("m/constants/0", std::string(8, '\0')));
    EXPECT_EQ(ErrorOf(WriteZip(entries)), "") << type;
    entries[entries.size() - 2].data = constants(9);
    EXPECT_THAT(ErrorOf(WriteZip(entries)), HasSubstr("has 8 bytes, too few for 9 elements")) << type;
  }
}

TEST(ModelFileTest, ARecordNamedAgainAndAgainIsRefusedAsLibTorchWouldCopyIt) {
  const std::string tensor = pickle::Tensor({.storage_elements = 1000, .shape = {1}, .strides = {1}});
  for (const int times : {1, 50}) {
    std::string constants = pickle::kProto2 + std::string("(");
    for (int i = 0; i < times; ++i) constants += tensor;
    auto entries = TorchScriptEntries(SmallScriptPickle(), Floats(6));
    std::erase_if(entries, [](const ZipEntry& entry) { return entry.name == "m/constants.pkl"; });
    entries.push_back(Entry("m/constants.pkl", constants + "t."));
    entries.push_back(Entry("m/constants/0", Floats(1000)));
    const std::string error = ErrorOf(WriteZip(entries));
    EXPECT_EQ(error.empty(), times == 1) << error;
    if (times > 1) {
      EXPECT_THAT(error, HasSubstr("again and again"));
    }
  }
}

TEST(ModelFileTest, TakesTheWrapperOffTheNamesOfAStateDict) {  // nn.DataParallel, torch.compile
  for (const char* wrapper : {"module.", "_orig_mod.", "_orig_mod.module."}) {
    const std::string pickle =
        pickle::kProto2 +
        pickle::Dict({pickle::Text(std::string(wrapper) + "w"),
                      pickle::Tensor({.storage_elements = 6, .offset = 0, .shape = {6}, .strides = {1}})}) +
        ".";
    const auto file = ParseModelFile(WriteZip(StateDictEntries(pickle, Floats(6))));
    ASSERT_TRUE(file.ok()) << file.status();
    EXPECT_EQ(file->tensors.at(0).name, "w") << wrapper;
  }
}

TEST(ModelFileTest, RefusesFilesAboveTheLimitWithoutReadingThem) {
  const char byte = 'P';  // never read: the view's size alone decides
  EXPECT_THAT(ErrorOf(absl::string_view(&byte, kMaxModelFileBytes + 1)), HasSubstr("the limit is 268435456"));
}

// ---- damage

TEST(ModelFileTest, EveryTruncationIsRefusedInOneLine) {
  for (const std::string& bytes : {WriteZip(StateDictEntries(SmallPickle(), Floats(6))),
                                   WriteZip(TorchScriptEntries(SmallScriptPickle(), Floats(6)))}) {
    ASSERT_TRUE(ParseModelFile(bytes).ok());
    for (size_t size = 0; size < bytes.size(); ++size) {
      const std::string part = bytes.substr(0, size);  // an own allocation, so that asan sees reads beyond
      ASSERT_THAT(ErrorOf(part), AllOf(Not(""), Not(HasSubstr("\n")))) << size << " bytes";
    }
  }
}

// With `crc` 0 nothing but the checks of the values themselves stands between a flipped byte and the tensors.
std::string WithoutCrcs(std::vector<ZipEntry> entries) {
  for (ZipEntry& entry : entries) entry.crc = 0;
  return WriteZip(entries);
}

TEST(ModelFileTest, EveryFlippedByteGivesTheSameTensorsOrOneLine) {
  for (const std::string& bytes : {WriteZip(StateDictEntries(SmallPickle(), Floats(6))),
                                   WriteZip(TorchScriptEntries(SmallScriptPickle(), Floats(6)))}) {
    const auto original = ParseModelFile(bytes);
    ASSERT_TRUE(original.ok());
    int refused = 0;
    for (size_t at = 0; at < bytes.size(); ++at) {
      for (const int mask : {0x01, 0x80, 0xff}) {
        std::string flipped = bytes;
        flipped[at] = static_cast<char>(flipped[at] ^ mask);
        const auto file = ParseModelFile(flipped);
        if (file.ok()) {
          ASSERT_TRUE(SameTensors(*file, *original)) << "byte " << at;
          ASSERT_EQ(file->kind, original->kind) << "byte " << at;
        } else {
          ++refused;
          ASSERT_THAT(file.status().message(), Not(HasSubstr("\n"))) << "byte " << at;
        }
      }
    }
    EXPECT_GT(refused, 1000);  // the rest lies in padding, unused header fields and code/
  }
}

TEST(ModelFileTest, EveryByteOfAPickleMayHaveEveryValue) {
  for (const bool script : {false, true}) {
    const std::string pickle = script ? SmallScriptPickle() : SmallPickle();
    for (size_t at = 0; at < pickle.size(); ++at) {
      for (int value = 0; value < 256; ++value) {
        std::string changed = pickle;
        changed[at] = static_cast<char>(value);
        const auto entries = script ? TorchScriptEntries(changed, Floats(6)) : StateDictEntries(changed, Floats(6));
        const auto file = ParseModelFile(WithoutCrcs(entries));
        if (!file.ok()) {
          ASSERT_THAT(file.status().message(), Not(HasSubstr("\n"))) << at << " " << value;
        }
      }
    }
  }
}

// The fuzzer's seeds, and whatever it once broke the reader with.
TEST(ModelFileTest, EverySeedOfTheFuzzerIsReadOrRefusedInOneLine) {
  int files = 0, readable = 0;
  for (const auto& entry : std::filesystem::directory_iterator("tests/fuzz/corpus/model_file")) {
    const auto bytes = ReadFile(entry.path().string(), kMaxModelFileBytes);
    ASSERT_TRUE(bytes.ok()) << bytes.status();
    for (const std::string& variant :
         {*bytes, WriteZip(StateDictEntries(*bytes, Floats(16))), WriteZip(TorchScriptEntries(*bytes, Floats(16)))}) {
      const auto file = ParseModelFile(variant);
      EXPECT_THAT(std::string(file.status().message()), Not(HasSubstr("\n"))) << entry.path();
      readable += file.ok() ? 1 : 0;
    }
    ++files;
  }
  EXPECT_GE(files, 9);
  EXPECT_GE(readable, 5);
}

}  // namespace
}  // namespace digit

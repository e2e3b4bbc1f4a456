#include "model/archive/zip_reader.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <string>

#include "tests/unit/model/archive/test_archive.h"

namespace digit {
namespace {

using ::testing::HasSubstr;

// The message of the error that reading gives, empty for none.
std::string ErrorOf(const std::string& bytes) {
  const absl::StatusOr<ZipDirectory> zip = ZipDirectory::Read(bytes);
  return zip.ok() ? "" : std::string(zip.status().message());
}

std::string ErrorOf(const std::vector<ZipEntry>& entries, const ZipOptions& options = {}) {
  return ErrorOf(WriteZip(entries, options));
}

TEST(ZipDirectoryTest, FindsWhatTorchsLayoutHolds) {
  const std::string bytes =
      WriteZip({Entry("m/data.pkl", "pickle"), Entry("m/data/0", ""), Entry("m/code/a.py", "zz")});
  const auto zip = ZipDirectory::Read(bytes);
  ASSERT_TRUE(zip.ok()) << zip.status();
  ASSERT_EQ(zip->records().size(), 3u);
  ASSERT_NE(zip->Find("m/data.pkl"), nullptr);
  EXPECT_EQ(zip->Find("m/data.pkl")->data, "pickle");
  EXPECT_EQ(zip->Find("m/data/0")->data, "");
  EXPECT_EQ(zip->Find("m/data/1"), nullptr);
  EXPECT_EQ(zip->Find("m/DATA.pkl"), nullptr);
}

TEST(ZipDirectoryTest, ReadsAZipWithoutZip64Record) {
  ZipOptions options;
  options.zip64 = false;
  EXPECT_EQ(ErrorOf({Entry("m/a", "x")}, options), "");
}

TEST(ZipDirectoryTest, AcceptsACrcThatWasNotComputed) {
  ZipEntry entry = Entry("m/a", "x");
  entry.crc = 0;
  EXPECT_EQ(ErrorOf({entry}), "");
}

TEST(ZipDirectoryTest, RefusesAWrongCrc) {
  ZipEntry entry = Entry("m/a", "x");
  entry.crc = 1;
  EXPECT_THAT(ErrorOf({entry}), HasSubstr("'m/a' do not match their CRC-32"));
}

TEST(ZipDirectoryTest, RefusesOverlappingRecords) {
  ZipEntry outer = Entry("m/outer", std::string(500, 'x'));
  const std::string inner_record = WriteZip({Entry("m/inner", "y")}, {.zip64 = false});
  outer.data.replace(100, 200, inner_record.substr(0, 200));
  ZipEntry inner = Entry("m/inner", "y");
  inner.local_offset = 64 + 100;
  EXPECT_THAT(ErrorOf({outer, inner}), HasSubstr("'m/outer' and 'm/inner' overlap"));
}

TEST(ZipDirectoryTest, RefusesTwoNamesForTheSameBytes) {
  ZipEntry second = Entry("m/b", "x");
  second.local_offset = 0;
  EXPECT_THAT(ErrorOf({Entry("m/a", "x"), second}), HasSubstr("local header of record 'm/b' differs"));
}

TEST(ZipDirectoryTest, RefusesDuplicatesAlsoWhenOnlyCaseDiffers) {
  EXPECT_THAT(ErrorOf({Entry("m/a", "x"), Entry("m/a", "y")}), HasSubstr("two records are named 'm/a'"));
  EXPECT_THAT(ErrorOf({Entry("m/data.pkl", "x"), Entry("m/DATA.PKL", "y")}), HasSubstr("two records are named"));
}

TEST(ZipDirectoryTest, RefusesUnsafeNames) {
  for (const std::string name : {"", "/etc/passwd", "m/../x", "..", "m\\x", "m/./x"}) {
    EXPECT_THAT(ErrorOf({Entry(name, "x")}), HasSubstr("empty, absolute or unsafe")) << name;
  }
  const std::string shown = ErrorOf({Entry(std::string("m/a\n\0b", 6), "x")});
  EXPECT_THAT(shown, HasSubstr("'m/a\\n\\x00\\x62'"));
}

TEST(ZipDirectoryTest, AcceptsNamesThatAreNotAscii) { EXPECT_EQ(ErrorOf({Entry("\xe6\x95\xb0/a..b", "x")}), ""); }

TEST(ZipDirectoryTest, RefusesALocalHeaderOfAnotherName) {
  ZipEntry entry = Entry("m/a", "x");
  entry.local_name = "m/b";
  EXPECT_THAT(ErrorOf({entry}), HasSubstr("local header of record 'm/a' differs"));
}

TEST(ZipDirectoryTest, RefusesEncryptionAndOtherCompressions) {
  ZipEntry encrypted = Entry("m/a", "x");
  encrypted.flags = 0x0809;
  EXPECT_THAT(ErrorOf({encrypted}), HasSubstr("encrypted"));
  ZipEntry lzma = Entry("m/a", "x");
  lzma.method = 14;
  EXPECT_THAT(ErrorOf({lzma}), HasSubstr("compressed with method 14"));
}

TEST(ZipDirectoryTest, RefusesRecordsThatReachBeyondTheFile) {
  ZipEntry entry = Entry("m/a", "x");
  entry.packed_bytes = entry.inflated_bytes = 100000;
  EXPECT_THAT(ErrorOf({entry}), HasSubstr("'m/a' of 100000 bytes reaches beyond"));
  entry.packed_bytes = entry.inflated_bytes = 0xffffffff;  // "see the zip64 field"
  EXPECT_THAT(ErrorOf({entry}), HasSubstr("reaches beyond"));
  ZipEntry elsewhere = Entry("m/a", "x");
  elsewhere.local_offset = 0xfffffff0;
  EXPECT_THAT(ErrorOf({elsewhere}), HasSubstr("no local header at byte 4294967280"));
}

TEST(ZipDirectoryTest, RefusesAStoredRecordWithTwoSizes) {
  ZipEntry entry = Entry("m/a", "xyz");
  entry.inflated_bytes = 3000000;
  EXPECT_THAT(ErrorOf({entry}), HasSubstr("two sizes"));
}

TEST(ZipDirectoryTest, RefusesABomb) {
  ZipEntry bomb = Entry("m/code/a", "xyz");
  bomb.method = 8;
  bomb.inflated_bytes = 1u << 30;
  EXPECT_THAT(ErrorOf({bomb}), HasSubstr("inflate to 1073741824 bytes"));
}

TEST(ZipDirectoryTest, RefusesAbsurdAndWrongCounts) {
  EXPECT_THAT(ErrorOf({Entry("m/a", "x")}, {.count = 65535}), HasSubstr("65535 records, the limit is 10000"));
  EXPECT_THAT(ErrorOf({Entry("m/a", "x")}, {.count = 9999}), HasSubstr("does not lie right before its end record"));
  EXPECT_THAT(ErrorOf({Entry("m/a", "x"), Entry("m/b", "x")}, {.count = 1}), HasSubstr("more than its 1 records"));
  EXPECT_THAT(ErrorOf({Entry("m/a", "x")}, {.count = 0}), HasSubstr("more than its 0 records"));
}

TEST(ZipDirectoryTest, RefusesADirectoryThatLiesElsewhere) {
  EXPECT_THAT(ErrorOf({Entry("m/a", "x")}, {.directory_offset = 0}), HasSubstr("does not lie right before"));
  EXPECT_THAT(ErrorOf({Entry("m/a", "x")}, {.directory_bytes = 0xffffffff}), HasSubstr("does not lie right before"));
}

TEST(ZipDirectoryTest, RefusesEndRecordsThatDisagree) {
  EXPECT_THAT(ErrorOf({Entry("m/a", "x")}, {.zip64_count = uint64_t{1} << 40}), HasSubstr("end records disagree"));
}

TEST(ZipDirectoryTest, RefusesCommentsAndBytesAfterTheEnd) {
  EXPECT_THAT(ErrorOf({Entry("m/a", "x")}, {.comment_bytes = 3}), HasSubstr("truncated zip, or has bytes after"));
  EXPECT_THAT(ErrorOf(WriteZip({Entry("m/a", "x")}) + "!"), HasSubstr("truncated zip, or has bytes after"));
}

}  // namespace
}  // namespace digit

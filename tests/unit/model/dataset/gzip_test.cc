#include "model/dataset/gzip.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "tests/unit/model/dataset/idx_files.h"

namespace digit {
namespace {

using ::testing::HasSubstr;

constexpr int64_t kLimit = 1 << 20;

std::string ErrorOf(const absl::StatusOr<std::string>& result) {
  EXPECT_EQ(result.status().code(), absl::StatusCode::kInvalidArgument);
  return std::string(result.status().message());
}

TEST(GzipTest, RestoresWhatWasPacked) {
  const std::string plain = ImagesFile(200);
  EXPECT_TRUE(LooksLikeGzip(GzipOf(plain)));
  EXPECT_FALSE(LooksLikeGzip(plain));
  EXPECT_EQ(Gunzip(GzipOf(plain), "a.gz", kLimit).value(), plain);
  EXPECT_EQ(Gunzip(GzipOf(""), "a.gz", kLimit).value(), "");
}

TEST(GzipTest, JoinsMembers) { EXPECT_EQ(Gunzip(GzipOf("ab") + GzipOf("cd"), "a.gz", kLimit).value(), "abcd"); }

TEST(GzipTest, RefusesEveryTruncation) {
  const std::string packed = GzipOf(LabelsFile(300));
  for (size_t size = 0; size < packed.size(); ++size) {
    EXPECT_THAT(ErrorOf(Gunzip(packed.substr(0, size), "cut.gz", kLimit)), HasSubstr("'cut.gz'")) << size;
  }
}

TEST(GzipTest, RefusesADamagedByteByTheChecksum) {
  std::string packed = GzipOf(LabelsFile(300));
  packed[packed.size() - 6] ^= 1;  // in the CRC
  EXPECT_THAT(ErrorOf(Gunzip(packed, "bad.gz", kLimit)), HasSubstr("incorrect data check"));
}

TEST(GzipTest, RefusesWhatFollowsTheEnd) {
  EXPECT_THAT(ErrorOf(Gunzip(GzipOf("ab") + "rubbish", "tail.gz", kLimit)), HasSubstr("incorrect header check"));
}

TEST(GzipTest, StopsABombAtTheLimit) {
  const std::string bomb = GzipOf(std::string(64 << 20, '\0'));
  ASSERT_LT(bomb.size(), size_t{100'000});
  EXPECT_EQ(ErrorOf(Gunzip(bomb, "bomb.gz", kLimit)), "'bomb.gz' unpacks to more than 1048576 bytes");
  EXPECT_TRUE(Gunzip(GzipOf(std::string(kLimit, 'x')), "full.gz", kLimit).ok());
}

}  // namespace
}  // namespace digit

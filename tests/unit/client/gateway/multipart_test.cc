#include "client/gateway/api/multipart.h"

#include <string>

#include "absl/strings/str_cat.h"
#include "gtest/gtest.h"

namespace digit {
namespace {

constexpr char kType[] = "multipart/form-data; boundary=\"x-y\"";

TEST(MultipartTest, ReadsWhatBrowsersSend) {
  const std::string body =
      "--x-y\r\nContent-Disposition: form-data; name=\"image\"; filename=\"a \\\"b\\\".png\"\r\n"
      "Content-Type: image/png\r\n\r\nPNG\r\n--x\r\n--x-y\r\nContent-Disposition: form-data; name=note\r\n\r\n\r\n"
      "--x-y--\r\n";
  const auto parts = ParseMultipart(kType, body);
  ASSERT_TRUE(parts.ok()) << parts.status();
  ASSERT_EQ(parts->size(), 2u);
  EXPECT_EQ(parts->at(0).name, "image");
  EXPECT_TRUE(parts->at(0).is_file);
  EXPECT_EQ(parts->at(0).bytes, "PNG\r\n--x");
  EXPECT_EQ(parts->at(1).name, "note");
  EXPECT_FALSE(parts->at(1).is_file);
  EXPECT_EQ(parts->at(1).bytes, "");
}

TEST(MultipartTest, RefusesWhatIsCutOrHasAnotherBoundary) {
  const std::string good = "--x-y\r\nContent-Disposition: form-data; name=a\r\n\r\nb\r\n--x-y--";
  ASSERT_TRUE(ParseMultipart(kType, good).ok());
  for (size_t size = 0; size < good.size(); ++size) {
    EXPECT_FALSE(ParseMultipart(kType, good.substr(0, size)).ok()) << good.substr(0, size);
  }
  EXPECT_FALSE(ParseMultipart("multipart/form-data", good).ok());
  EXPECT_FALSE(ParseMultipart("multipart/form-data; boundary=z", good).ok());
  EXPECT_FALSE(ParseMultipart(absl::StrCat("multipart/form-data; boundary=", std::string(71, 'z')), good).ok());
  EXPECT_FALSE(ParseMultipart(kType, "--x-y\r\n" + std::string(9000, 'a') + "\r\n\r\nb\r\n--x-y--").ok());
}

TEST(MultipartTest, BoundsTheNumberOfParts) {
  std::string body;
  for (int i = 0; i < 1025; ++i) absl::StrAppend(&body, "--x-y\r\n\r\n\r\n");
  EXPECT_FALSE(ParseMultipart(kType, body + "--x-y--").ok());
}

TEST(MultipartTest, ReadsParametersOfHeaders) {
  EXPECT_EQ(HeaderParameter("form-data; name=a; filename=\"b;c\"", "filename"), "b;c");
  EXPECT_EQ(HeaderParameter("form-data; flag; Name = a", "name"), "a");
  bool found = true;
  EXPECT_EQ(HeaderParameter("form-data; names=a", "name", &found), "");
  EXPECT_FALSE(found);
  EXPECT_EQ(HeaderParameter("form-data; name=\"unfinished", "name"), "unfinished");
}

}  // namespace
}  // namespace digit

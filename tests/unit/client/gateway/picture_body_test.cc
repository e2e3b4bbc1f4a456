#include "client/gateway/api/picture_body.h"

#include <string>

#include "gmock/gmock.h"
#include "gtest/gtest.h"

namespace digit {
namespace {

using ::testing::ElementsAre;
using ::testing::HasSubstr;

HttpRequest Request(const std::string& type, const std::string& body) {
  HttpRequest request;
  request.method = "POST";
  request.headers = {{"Content-Type", type}};
  request.body = body;
  return request;
}

absl::StatusOr<PictureBody> Read(const std::string& type, const std::string& body, const std::string& target = "/") {
  return ReadPictureBody(Request(type, body), *ParseUrl(target));
}

std::string Complaint(const std::string& type, const std::string& body, const std::string& target = "/") {
  return std::string(Read(type, body, target).status().message());
}

TEST(PictureBodyTest, TakesFilesAsTheyAre) {
  for (const char* type : {"image/png", "image/jpeg", "application/octet-stream", "", "Image/PNG; x=y",
                           "application/x-www-form-urlencoded"}) {
    const auto body = Read(type, "bytes", "/?version=3&include=pixels,timing");
    ASSERT_TRUE(body.ok()) << body.status();
    EXPECT_THAT(body->pictures, ElementsAre("bytes"));
    EXPECT_FALSE(body->is_list);
    EXPECT_EQ(body->version, "3");
    EXPECT_TRUE(body->include_pixels && body->include_timing);
  }
}

TEST(PictureBodyTest, TakesJsonWithBase64AndDataUrls) {
  EXPECT_THAT(Read("application/json", R"({"image":"YWJj"})")->pictures, ElementsAre("abc"));
  EXPECT_THAT(Read("application/json; charset=utf-8", R"({"image":"data:image/png;base64,YWJj"})")->pictures,
              ElementsAre("abc"));
  const auto list = Read("application/json", R"({"images":["YQ==","Yg"],"version":"stable","include":["pixels"]})");
  ASSERT_TRUE(list.ok()) << list.status();
  EXPECT_THAT(list->pictures, ElementsAre("a", "b"));
  EXPECT_TRUE(list->is_list && list->include_pixels);
  EXPECT_EQ(list->version, "stable");
  EXPECT_TRUE(Read("application/json", R"({"images":["YQ=="]})")->is_list);
}

TEST(PictureBodyTest, TakesFormsWithOneOrSeveralFiles) {
  const std::string one = "--b\r\nContent-Disposition: form-data; name=f; filename=x\r\n\r\nP\r\n";
  EXPECT_FALSE(Read("multipart/form-data; boundary=b", one + "--b--")->is_list);
  const auto two = Read("multipart/form-data; boundary=b", one + one + "--b--");
  EXPECT_THAT(two->pictures, ElementsAre("P", "P"));
  EXPECT_TRUE(two->is_list);
}

TEST(PictureBodyTest, SaysWhatIsWrong) {
  EXPECT_THAT(Complaint("image/png", ""), HasSubstr("empty"));
  EXPECT_EQ(Read("text/plain", "x").status().code(), absl::StatusCode::kUnimplemented);
  EXPECT_THAT(Complaint("image/png", "x", "/?include=all"), HasSubstr("'all'"));
  EXPECT_THAT(Complaint("application/json", "{"), HasSubstr("the body"));
  EXPECT_THAT(Complaint("application/json", "[]"), HasSubstr("must be an object"));
  EXPECT_THAT(Complaint("application/json", "{}"), HasSubstr("exactly one"));
  EXPECT_THAT(Complaint("application/json", R"({"image":"YQ==","images":[]})"), HasSubstr("exactly one"));
  EXPECT_THAT(Complaint("application/json", R"({"image":7})"), HasSubstr("string"));
  EXPECT_THAT(Complaint("application/json", R"({"images":"YQ=="})"), HasSubstr("list"));
  EXPECT_THAT(Complaint("application/json", R"({"images":[]})"), HasSubstr("\"images\" is empty"));
  EXPECT_THAT(Complaint("application/json", R"({"image":"data:image/png,abc"})"), HasSubstr("base64"));
  EXPECT_THAT(Complaint("application/json", R"({"image":"YQ==","colour":1})"), HasSubstr("colour"));
  EXPECT_THAT(Complaint("multipart/form-data; boundary=b", "--b\r\n\r\nx\r\n--b--"), HasSubstr("no file"));
  EXPECT_FALSE(Read("application/json", std::string(100, '[')).ok());
}

}  // namespace
}  // namespace digit

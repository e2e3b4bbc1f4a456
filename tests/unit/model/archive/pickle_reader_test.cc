#include "model/archive/pickle_reader.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <string>

#include "tests/unit/model/archive/pickle_writer.h"

namespace digit {
namespace {

using ::testing::AllOf;
using ::testing::HasSubstr;
using ::testing::Not;
using Kind = PickleValue::Kind;

std::string ErrorOf(const std::string& opcodes, PickleDialect dialect = PickleDialect::kStateDict) {
  const absl::StatusOr<PickleTree> tree = ReadPickle(pickle::kProto2 + opcodes, dialect);
  return tree.ok() ? "" : std::string(tree.status().message());
}

TEST(PickleReaderTest, ReadsScalarsOfAllSizes) {
  const std::string text = pickle::kProto2 + ("(" + pickle::Number(255)) + std::string("M\x01\x02", 3) +
                           pickle::Number(-3) + pickle::Number(int64_t{1} << 40) + pickle::Text("na\nme") +
                           "\x88\x89N" + std::string("\x8a\x01\xff", 3) + std::string("\x8a\x00", 2) + "t.";
  const auto tree = ReadPickle(text, PickleDialect::kStateDict);
  ASSERT_TRUE(tree.ok()) << tree.status();
  ASSERT_EQ(tree->kind(tree->root()), Kind::kTuple);
  const auto ids = tree->children(tree->root(), 100);
  ASSERT_EQ(ids.size(), 10u);
  EXPECT_EQ(tree->integer(ids[0]), 255);
  EXPECT_EQ(tree->integer(ids[1]), 0x201);
  EXPECT_EQ(tree->integer(ids[2]), -3);
  EXPECT_EQ(tree->integer(ids[3]), int64_t{1} << 40);
  EXPECT_EQ(tree->text(ids[4]), "na\nme");
  EXPECT_EQ(tree->integer(ids[5]), 1);
  EXPECT_EQ(tree->integer(ids[6]), 0);
  EXPECT_EQ(tree->kind(ids[7]), Kind::kNone);
  EXPECT_EQ(tree->integer(ids[8]), -1);
  EXPECT_EQ(tree->integer(ids[9]), 0);
}

TEST(PickleReaderTest, KeepsDictsListsAndMemo) {
  const std::string text = std::string(pickle::kProto2) + "}q" + std::string(1, '\0') + pickle::Text("k") + "q\x01]" +
                           "q\x02(h\x01h\x01" + "ea";  // one append too many for the stack
  EXPECT_THAT(ReadPickle(text + ".", PickleDialect::kStateDict).status().message(), HasSubstr("misuses opcode 0x61"));

  const std::string good =
      std::string(pickle::kProto2) + "}q" + std::string(1, '\0') + pickle::Text("k") + "q\x01](h\x01h\x01" + "es.";
  const auto tree = ReadPickle(good, PickleDialect::kStateDict);
  ASSERT_TRUE(tree.ok()) << tree.status();
  const auto pair = tree->children(tree->root(), 10);
  ASSERT_EQ(pair.size(), 2u);
  ASSERT_EQ(tree->size(pair[1]), 2u);
  EXPECT_EQ(tree->text(tree->children(pair[1], 1)[0]), "k");
}

TEST(PickleReaderTest, AListInsideItselfIsHarmless) {
  EXPECT_EQ(ErrorOf("]q" + std::string(1, '\0') + "h" + std::string(1, '\0') + "a."), "");
}

TEST(PickleReaderTest, RefusesCallsByNameAndNamesThem) {
  const std::string attack = pickle::Global("posix", "system") + "(" + pickle::Text("touch owned") + "tR.";
  for (const PickleDialect dialect : {PickleDialect::kStateDict, PickleDialect::kTorchScript}) {
    EXPECT_THAT(ErrorOf(attack, dialect), HasSubstr("its pickle names 'posix.system'"));
    EXPECT_THAT(ErrorOf(pickle::Global("builtins", "eval") + ".", dialect), HasSubstr("'builtins.eval'"));
    EXPECT_THAT(ErrorOf(pickle::Global("torchx", "run") + ".", dialect), HasSubstr("'torchx.run'"));
    EXPECT_THAT(ErrorOf(pickle::Global("__torch__x", "run") + ".", dialect), HasSubstr("'__torch__x.run'"));
  }
  EXPECT_THAT(ErrorOf(pickle::Global("torch", "load") + "."), HasSubstr("'torch.load'"));
  EXPECT_THAT(ErrorOf(pickle::Global("torch.serialization", "load") + "."), HasSubstr("'torch.serialization.load'"));
  EXPECT_THAT(ErrorOf(pickle::Global("torch", "FloatStorage") + "(K\x01tR."), HasSubstr("calls 'torch.FloatStorage'"));
}

TEST(PickleReaderTest, ErrorsStayOnOneLineWhateverTheNameIs) {
  EXPECT_THAT(ErrorOf(pickle::Global("a\x01\x1b[31m", std::string(5000, 'x')) + "."),
              AllOf(HasSubstr("'a\\x01\\x1b[31m."), Not(HasSubstr("\x1b")), HasSubstr("...")));
}

TEST(PickleReaderTest, RecognisesAWholePickledModel) {
  const std::string model = pickle::Global("__main__", "Net") + "q" + std::string(1, '\0') + pickle::kNewObject + "}b.";
  EXPECT_THAT(ErrorOf(model),
              AllOf(HasSubstr("whole pickled model of class '__main__.Net'"), HasSubstr("state_dict()")));
  EXPECT_THAT(ErrorOf(pickle::Global("__main__", "Net") + pickle::kNewObject + "}b."),
              HasSubstr("whole pickled model"));
  EXPECT_THAT(ErrorOf(pickle::Global("__main__", "Net") + "q"), HasSubstr("not on the list"));
}

TEST(PickleReaderTest, RefusesEveryOpcodeThatTorchDoesNotWrite) {
  const std::string known =
      "N\x88\x89)]}KMJ\x8aGXc(t\x85\x86\x87"
      "aesuqrhjQR\x81"
      "b.";
  int refused = 0;
  for (int opcode = 0; opcode < 256; ++opcode) {
    if (known.find(static_cast<char>(opcode)) != std::string::npos) continue;
    EXPECT_THAT(ErrorOf(std::string(1, static_cast<char>(opcode)) + "."), HasSubstr("uses opcode 0x")) << opcode;
    ++refused;
  }
  EXPECT_EQ(refused, 256 - 31);
  EXPECT_THAT(ErrorOf("(" + pickle::Text("id") + "iposix\nsystem\n."), HasSubstr("opcode 0x69"));     // INST
  EXPECT_THAT(ErrorOf(std::string("\x82\x01") + "."), HasSubstr("opcode 0x82"));                      // EXT1
  EXPECT_THAT(ErrorOf(pickle::Text("posix") + pickle::Text("system") + "\x93."), HasSubstr("0x93"));  // STACK_GLOBAL
}

TEST(PickleReaderTest, RefusesOtherProtocols) {
  EXPECT_THAT(ReadPickle("\x80\x04N.", PickleDialect::kStateDict).status().message(), HasSubstr("protocol 4"));
  EXPECT_THAT(ReadPickle("N.", PickleDialect::kStateDict).status().message(), HasSubstr("PROTO"));
  EXPECT_THAT(ReadPickle("", PickleDialect::kStateDict).status().message(), HasSubstr("PROTO"));
}

TEST(PickleReaderTest, RefusesMisuseOfTheStack) {
  for (const std::string opcodes : {"a.",
                                    "s.",
                                    "u.",
                                    "e.",
                                    "t.",
                                    "R.",
                                    "b.",
                                    "Q.",
                                    "\x81.",
                                    "\x85.",
                                    "]N\x86Ra.",
                                    "(N(a.",
                                    "]]u.",
                                    "}(NNNu.",
                                    "h\x01.",
                                    "q\x05.",
                                    "N(q.",
                                    "NR.",
                                    "NNb.",
                                    "NN\x81.",
                                    "Nq\x01.",
                                    "X\x7f\x7f\x7f\x7fx.",
                                    "cmodule",
                                    "cmodule\nname",
                                    "K",
                                    "J\x01\x01",
                                    "\x8a\x09zzzzzzzzz.",
                                    "Gxxx"}) {
    EXPECT_THAT(ErrorOf(opcodes), HasSubstr("refused")) << opcodes;
  }
}

TEST(PickleReaderTest, RefusesPicklesWithoutOneValueAtTheEnd) {
  EXPECT_THAT(ErrorOf("."), HasSubstr("ends with 0 values"));
  EXPECT_THAT(ErrorOf("NN."), HasSubstr("ends with 2 values"));
  EXPECT_THAT(ErrorOf("N(."), HasSubstr("ends with 1 values"));
  EXPECT_THAT(ErrorOf("N"), HasSubstr("ends without STOP"));
  EXPECT_THAT(ErrorOf("N.N."), HasSubstr("goes on after STOP"));
}

TEST(PickleReaderTest, RefusesPersistentIdsThatAreNoStorage) {
  const std::string no_storage = "(" + pickle::Text("file") + pickle::Text("/etc/passwd") + "tQ.";
  EXPECT_THAT(ErrorOf(no_storage), HasSubstr("persistent id at byte"));
  EXPECT_THAT(ErrorOf(")Q."), HasSubstr("persistent id at byte"));
  EXPECT_THAT(ErrorOf("NQ."), HasSubstr("misuses opcode 0x51"));
}

TEST(PickleReaderTest, BoundsNestingAndValues) {
  EXPECT_THAT(ErrorOf(std::string(201, '(') + "."), HasSubstr("nests deeper than 200"));
  EXPECT_THAT(ErrorOf("(" + std::string(100000, ']') + "t."), HasSubstr("too many values"));
  EXPECT_EQ(ErrorOf("(" + std::string(500, ']') + "t."), "");
}

TEST(PickleReaderTest, ModuleClassesAreForTorchScriptOnly) {
  const std::string object = pickle::Global("__torch__.net", "Net") + pickle::kNewObject + "}b.";
  EXPECT_EQ(ErrorOf(object, PickleDialect::kTorchScript), "");
  EXPECT_THAT(ErrorOf(object), HasSubstr("'__torch__.net.Net'"));
  EXPECT_THAT(ErrorOf(pickle::Global("torch", "Generator") + ")\x81.", PickleDialect::kTorchScript),
              HasSubstr("makes an object of 'torch.Generator'"));
}

}  // namespace
}  // namespace digit

// The printed schema against the real protoc: it must accept the schema, read every event that we write with every
// field under its name, and write the same bytes again.
#include "ledger/schema.h"

#include <gtest/gtest.h>

#include <cctype>
#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <sstream>

#include "base/temporary_folder.h"
#include "tests/unit/ledger/filled.h"

namespace ledger {
namespace {

using base::to_hex;

// ---- protobuf's text format, as protoc prints it ----

// payment_first of PaymentMode: PAYMENT_MODE_PAYMENT_FIRST.
std::string enum_text(std::string_view prefix, std::string_view name) {
  std::string out(prefix);
  for (const char c : name) out.push_back(static_cast<char>(std::toupper(static_cast<unsigned char>(c))));
  return out;
}
std::string text_of(PaymentMode v) {
  return enum_text("PAYMENT_MODE_", name(v));
}
std::string text_of(DeclineReason v) {
  return enum_text("DECLINE_REASON_", name(v));
}
std::string text_of(Encryption v) {
  return enum_text("ENCRYPTION_", name(v));
}
std::string text_of(InputType v) {
  return enum_text("INPUT_TYPE_", name(v));
}
std::string text_of(NoticePurpose v) {
  return enum_text("NOTICE_PURPOSE_", name(v));
}
std::string text_of(InvoicePurpose v) {
  return enum_text("INVOICE_PURPOSE_", name(v));
}
std::string text_of(InferenceFailure v) {
  return enum_text("INFERENCE_FAILURE_", name(v));
}
std::string text_of(FinishReason v) {
  return enum_text("FINISH_REASON_", name(v));
}
std::string text_of(CancelledBy v) {
  return enum_text("CANCELLED_BY_", name(v));
}
std::string text_of(ExpiryBasis v) {
  return enum_text("EXPIRY_BASIS_", name(v));
}
std::string text_of(ReadinessPart v) {
  return enum_text("READINESS_PART_", name(v));
}
std::string text_of(const std::string& v) {
  return '"' + v + '"';
}
std::string text_of(Msat v) {
  return std::to_string(v.value);
}
std::string text_of(TimeMs v) {
  return std::to_string(v.ms);
}
std::string text_of(bool v) {
  return v ? "true" : "false";
}
std::string text_of(double v) {
  std::ostringstream out;
  out << v;
  return out.str();
}
template <std::size_t N, class Tag>
std::string text_of(const FixedBytes<N, Tag>& v) {
  return text_of(std::string(v.view()));
}
template <class T>
requires std::is_integral_v<T> std::string text_of(T v) {
  return std::to_string(v);
}

template <Message T>
std::string message_text(const T& message, const std::string& indent = {});

template <class T>
std::string field_text(std::string_view name, const T& value, const std::string& indent) {
  if constexpr (wire::is_optional<T>::value) {
    return value ? field_text(name, *value, indent) : "";
  } else if constexpr (wire::is_vector<T>::value) {
    std::string out;
    for (const auto& element : value) out += field_text(name, element, indent);
    return out;
  } else if constexpr (Message<T>) {
    return indent + std::string(name) + " {\n" + message_text(value, indent + "  ") + indent + "}\n";
  } else {
    return indent + std::string(name) + ": " + text_of(value) + "\n";
  }
}

template <Message T>
std::string message_text(const T& message, const std::string& indent) {
  std::string out;
  std::apply([&](const auto&... f) { ((out += field_text(f.name, message.*(f.member), indent)), ...); }, T::fields());
  return out;
}

// ---- the real protoc ----

std::string contents(const std::filesystem::path& file) {
  std::ifstream in(file, std::ios::binary);
  return {std::istreambuf_iterator<char>(in), {}};
}

class Protoc : public testing::Test {
 protected:
  void SetUp() override {
    if (std::system("protoc --version > /dev/null 2>&1") != 0) GTEST_SKIP() << "protoc (protobuf-compiler) is absent";
    std::ofstream(folder_ / "ledger.proto") << proto_schema();
  }

  // What protoc answers on its standard output; its complaints on "stderr" fail the test.
  std::string run(const std::string& arguments, const std::string& input) {
    std::ofstream(folder_ / "in", std::ios::binary) << input;
    const std::string command = "cd '" + folder_.string() + "' && protoc " + arguments + " < in > out 2> err";
    EXPECT_EQ(std::system(command.c_str()), 0) << command;
    EXPECT_EQ(contents(folder_ / "err"), "") << command;
    return contents(folder_ / "out");
  }

  template <Message T>
  void expect_same(const T& message, std::string_view type) {
    const std::string argument = "sellcompute.ledger.v1." + std::string(type) + " ledger.proto";
    const std::string bytes = encode(message);
    const std::string text = run("--decode=" + argument, bytes);
    EXPECT_EQ(text, message_text(message)) << type;
    EXPECT_EQ(to_hex(run("--encode=" + argument, text)), to_hex(bytes)) << type;
  }

  template <class Fact, class Enum>
  void expect_every_value(Enum Fact::*member) {
    for (const EnumName& value : enum_names(Enum{})) {
      if (value.value == 0) continue;  // is never written
      Fact fact = filled<Fact>();
      fact.*member = static_cast<Enum>(value.value);
      expect_same(fact, type_name(Fact::kType));
    }
  }

 private:
  const base::TemporaryFolder temporary_ = base::TemporaryFolder::make("test").value();
  const std::filesystem::path folder_ = temporary_.path();
};

TEST_F(Protoc, TakesTheSchemaWithoutAWord) {
  run("--descriptor_set_out=descriptor ledger.proto", "");
}

TEST_F(Protoc, ReadsEveryEventAndWritesTheSameBytes) {
  for (const Fact& event : every_event_filled()) {
    std::visit([&](const auto& e) { expect_same(e, type_name(type_of(event))); }, event);
  }
}

TEST_F(Protoc, ReadsTheHeader) {
  expect_same(filled<Header>(), "Header");
}

TEST_F(Protoc, KnowsEveryValueOfEveryEnum) {
  expect_every_value(&JobQuoted::payment_mode);
  expect_every_value(&JobDeclined::reason);
  expect_every_value(&NoticeSigned::purpose);
  expect_every_value(&InvoiceIssued::purpose);
  expect_every_value(&InferenceFailed::failure);
  expect_every_value(&InferenceCompleted::finish);
  expect_every_value(&JobCancelled::by);
}

// ---- the text of the schema ----

TEST(Schema, PrintsAnEventWithItsTypeNumber) {
  EXPECT_NE(proto_schema().find("\n// Type 20.\n"
                                "message InvoiceFailed {\n"
                                "  InvoicePurpose purpose = 1;\n"
                                "  uint32 attempt = 2;\n"
                                "  string message = 3;\n"
                                "  optional int64 retry_at_ms = 4;\n"
                                "  bool stale = 5;\n"
                                "}\n"),
            std::string::npos)
      << proto_schema();
}

TEST(Schema, NamesEveryTypeNumber) {
  const std::string schema = proto_schema();
  for (const Fact& event : every_event_filled()) {
    const std::string message(type_name(type_of(event)));
    EXPECT_NE(schema.find("// Type " + std::to_string(type_of(event)) + ".\nmessage " + message + " {\n"),
              std::string::npos)
        << message;
  }
  EXPECT_NE(schema.find("  EVENT_TYPE_JOB_REQUESTED = 16;\n"), std::string::npos);
}

TEST(Schema, PrintsWhatIsSharedOnce) {
  const std::string schema = proto_schema();
  for (const char* once : {"message Basis {", "message ModelOffer {", "enum PaymentMode {", "enum InvoicePurpose {"}) {
    const std::size_t first = schema.find(once);
    EXPECT_NE(first, std::string::npos) << once;
    EXPECT_EQ(schema.find(once, first + 1), std::string::npos) << once;
  }
}

}  // namespace
}  // namespace ledger

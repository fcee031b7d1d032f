// What may be fetched for a customer, as the state machine decides it: no socket is opened.
#include "pipeline/web/fetch_session.h"

#include <gmock/gmock.h>

namespace web {
namespace {

using testing::HasSubstr;

const Address kPublic = {93, 184, 216, 34};
const Address kLoopback = {127, 0, 0, 1};
const Address kPrivate = {192, 168, 1, 1};
const Address kMetadata = {169, 254, 169, 254};
const Address kLoopback6 = {0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 1};
const Address kMapped = {0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0xff, 0xff, 10, 0, 0, 1};

std::string code(const Next& next) {
  const auto* answer = std::get_if<Answer>(&next);
  if (answer == nullptr) return "goes on";
  return *answer ? "text" : answer->error().code;
}

const base::Error& error(const Next& next) {
  return std::get<Answer>(next).error();
}

Head page(std::string type = "text/plain") {
  return {.status = 200, .content_type = std::move(type)};
}
Head redirect(std::string location, unsigned status = 302) {
  return {.status = status, .location = std::move(location)};
}

class FetchTest : public testing::Test {
 protected:
  // As far as the server's head.
  Next head(const Head& head, const std::string& url = "https://example.com/a") {
    fetch = FetchSession();
    EXPECT_TRUE(std::holds_alternative<LookUp>(fetch.start(url)));
    EXPECT_TRUE(std::holds_alternative<Connect>(fetch.on_addresses({kPublic})));
    return fetch.on_head(head);
  }
  // The next hop, if it may be made.
  Next hop(const Head& head) {
    const Next next = fetch.on_addresses({kPublic});
    return std::holds_alternative<Connect>(next) ? fetch.on_head(head) : next;
  }
  Next whole(const Head& first, const std::string& body) {
    EXPECT_TRUE(std::holds_alternative<Read>(head(first)));
    const Next next = fetch.on_body(body);
    return std::holds_alternative<Read>(next) ? fetch.on_end() : next;
  }

  FetchSession fetch;
};

TEST_F(FetchTest, GivesTheTextOfAPage) {
  const Next next = whole(page(), "hello");
  ASSERT_EQ(code(next), "text");
  EXPECT_EQ(*std::get<Answer>(next), "hello");
}

TEST_F(FetchTest, GivesTheReadableTextOfHtml) {
  for (const char* type : {"text/html; charset=utf-8", "application/xhtml+xml"}) {
    EXPECT_EQ(*std::get<Answer>(whole(page(type), "<title>T</title><p>hello &amp; bye")), "T\n\nhello & bye");
  }
  EXPECT_EQ(*std::get<Answer>(whole(page(), "<p>")), "<p>") << "only of HTML";
}

// ---- addresses ------------------------------------------------------------------------------------------------------

TEST_F(FetchTest, RefusesUrlsThatCannotBeFetched) {
  EXPECT_EQ(code(fetch.start("ftp://example.com/")), "web.url");
  for (const char* url : {"http://example.com:25/", "https://example.com:22/", "http://example.com:1023/"}) {
    EXPECT_EQ(code(fetch.start(url)), "web.url") << url;
  }
  EXPECT_EQ(code(fetch.start("http://example.com:8080/")), "goes on");
}

TEST_F(FetchTest, RefusesHostsThatAreNotPublic) {
  for (const auto& address : {kLoopback, kPrivate, kMetadata, kLoopback6, kMapped, Address{}}) {
    fetch.start("https://internal.example/");
    const Next next = fetch.on_addresses({address});
    ASSERT_EQ(code(next), "web.private_address");
    EXPECT_EQ(error(next).describe(),
              "internal.example is not on the public internet (https://internal.example/): name a page that everybody "
              "can read, or send its text itself as the input");
  }
}

TEST_F(FetchTest, ConnectsToTheFirstPublicAddress) {
  fetch.start("https://example.com/");
  const Next next = fetch.on_addresses({kLoopback, kPrivate, kPublic, {1, 1, 1, 1}});
  ASSERT_TRUE(std::holds_alternative<Connect>(next));
  EXPECT_EQ(std::get<Connect>(next).address, 2U);
  EXPECT_EQ(code(fetch.on_addresses({})), "web.unreachable");
}

TEST_F(FetchTest, TheOperatorsOwnUrlMayBePrivateButNotWhatItRedirectsTo) {
  fetch = FetchSession({.own = true});
  EXPECT_EQ(code(fetch.start("http://relay.local:81/")), "goes on");
  EXPECT_TRUE(std::holds_alternative<Connect>(fetch.on_addresses({kPrivate})));
  EXPECT_EQ(code(fetch.on_head(redirect("http://other.local/"))), "goes on");
  EXPECT_EQ(code(fetch.on_addresses({kPrivate})), "web.private_address");
}

TEST_F(FetchTest, TheOperatorsOwnPageIsReadWhateverItsTypeAndStatusAsLongAsItIsJson) {
  const auto read = [this](unsigned status, const char* body, const char* type = "application/octet-stream") {
    fetch = FetchSession({.own = true});
    fetch.start("http://pay.example/");
    fetch.on_addresses({kPublic});
    const Next next = fetch.on_head({.status = status, .content_type = type});
    if (!std::holds_alternative<Read>(next)) return code(next);
    fetch.on_body(body);
    return code(fetch.on_end());
  };
  EXPECT_EQ(read(200, R"({"tag":"payRequest"})"), "text");
  EXPECT_EQ(read(400, R"({"status":"ERROR","reason":"out of bounds"})"), "text");
  EXPECT_EQ(read(404, "<html>"), "web.status");
  for (const unsigned status : {502U, 503U, 504U, 522U})
    EXPECT_EQ(read(status, R"({"error":"gateway"})"), "web.status");
  for (const char* type :
       {"", "text/plain", "text/html; charset=iso-8859-1", "application/octet-stream; charset=binary"}) {
    EXPECT_EQ(read(200, R"({"metadata":"[[\"text/plain\",\"<b>me</b>\"]]"})", type), "text") << type;
  }
  EXPECT_EQ(read(429, "{}"), "web.too_many_requests");
}

TEST_F(FetchTest, TheOperatorsOwnServerSaysForHowLongItWantsToBeLeftAlone) {
  const auto context = [this](const char* retry_after) {
    fetch = FetchSession({.own = true});
    fetch.start("http://pay.example/");
    fetch.on_addresses({kPublic});
    return error(fetch.on_head({.status = 429, .retry_after = retry_after})).context;
  };
  EXPECT_EQ(context("30"), "30 s");
  EXPECT_EQ(context("Mon, 30 Nov 2026 20:00:00 GMT"), "http://pay.example/");
}

// ---- redirects ------------------------------------------------------------------------------------------------------

TEST_F(FetchTest, FollowsRedirects) {
  for (const unsigned status : {301U, 302U, 303U, 307U, 308U}) {
    ASSERT_TRUE(std::holds_alternative<LookUp>(head(redirect("/b", status), "http://example.com/a")));
    EXPECT_EQ(fetch.url().text(), "http://example.com/b");
    ASSERT_TRUE(std::holds_alternative<LookUp>(hop(redirect("https://other.example/c"))));
    EXPECT_EQ(fetch.url().text(), "https://other.example/c");
    ASSERT_TRUE(std::holds_alternative<Read>(hop(page())));
  }
}

TEST_F(FetchTest, ARedirectPassesTheSameChecks) {
  ASSERT_TRUE(std::holds_alternative<LookUp>(head(redirect("https://127.0.0.1/"))));
  EXPECT_EQ(code(fetch.on_addresses({kLoopback})), "web.private_address");
  ASSERT_TRUE(std::holds_alternative<LookUp>(head(redirect("https://rebound.example/"))));
  EXPECT_EQ(code(fetch.on_addresses({kMetadata})), "web.private_address");
  EXPECT_EQ(code(head(redirect("https://example.com:25/"))), "web.url");
}

TEST_F(FetchTest, RefusesRedirectsThatLeadNowhereGood) {
  EXPECT_EQ(code(head(redirect("http://example.com/a"))), "web.redirects") << "https to http";
  for (const char* location :
       {"ftp://example.com/", "file:///etc/passwd", "https://user@example.com/", "http://127.1/"}) {
    EXPECT_EQ(code(head(redirect(location))), "web.redirects") << location;
  }
  EXPECT_EQ(code(head(redirect(""))), "web.status");
}

TEST_F(FetchTest, LeavesALoop) {
  Next next = head(redirect("/a"));
  for (unsigned i = 1; i < kMaxRedirects; ++i) next = hop(redirect("/a"));
  ASSERT_EQ(code(next), "goes on");
  next = hop(redirect("/a"));
  EXPECT_EQ(code(next), "web.redirects");
  EXPECT_THAT(error(next).message, HasSubstr("more than 5 times"));
}

// ---- answers --------------------------------------------------------------------------------------------------------

TEST_F(FetchTest, RefusesOtherStatuses) {
  for (const unsigned status : {0U, 201U, 204U, 206U, 300U, 304U, 401U, 403U, 404U, 429U, 500U}) {
    EXPECT_EQ(code(head({.status = status})), "web.status") << status;
  }
  EXPECT_THAT(error(head({.status = 404})).message, HasSubstr("404"));
}

TEST_F(FetchTest, RefusesWhatIsNoText) {
  const Next next = head(page("image/png"));
  ASSERT_EQ(code(next), "web.type");
  EXPECT_EQ(error(next).message, "the page is of type \"image/png\"");
  EXPECT_EQ(error(head(page("x\x1b\xff" + std::string(100, 'y')))).message,
            "the page is of type \"x??" + std::string(57, 'y') + "\"")
      << "a server's words are cut and cannot steer a terminal";
  Head packed = page();
  packed.content_encoding = "gzip";
  EXPECT_EQ(code(head(packed)), "web.type");
  packed.content_encoding = "identity";
  EXPECT_EQ(code(head(packed)), "goes on");
}

TEST_F(FetchTest, StopsAtTheLimit) {
  Head declared = page();
  declared.content_length = kMaxBodyBytes + 1;
  EXPECT_EQ(code(head(declared)), "web.too_large") << "before anything is read";
  declared.content_length = kMaxBodyBytes;
  EXPECT_EQ(code(head(declared)), "goes on");

  EXPECT_EQ(code(fetch.on_body(std::string(kMaxBodyBytes, 'a'))), "goes on");
  EXPECT_EQ(code(fetch.on_body("b")), "web.too_large") << "whatever was declared";
  EXPECT_EQ(code(whole(page(), std::string(kMaxBodyBytes, 'a'))), "text");
}

TEST_F(FetchTest, ReadsUtf8AndLatin1) {
  EXPECT_EQ(*std::get<Answer>(whole(page("text/plain; charset=ISO-8859-1"), "K\xe4se")), "K\xc3\xa4se");
  EXPECT_EQ(code(whole(page("text/plain; charset=utf-16"), "x")), "web.not_text");
  const Next next = whole(page(), "K\xe4se");
  ASSERT_EQ(code(next), "web.not_text");
  EXPECT_EQ(error(next).context, "https://example.com/a");
  EXPECT_EQ(code(whole(page(), std::string(1, '\0'))), "web.not_text");
}

TEST_F(FetchTest, APageThatNeedsScriptsHoldsNoText) {
  const Next next = whole(page("text/html"), "<div id=app></div><script>render()</script>");
  ASSERT_EQ(code(next), "web.not_text");
  EXPECT_THAT(error(next).message, HasSubstr("scripts are not run"));
}

TEST_F(FetchTest, EveryFailureTellsTheCustomerWhatToDo) {
  head(page());
  for (const auto& [answer, expected] :
       {std::pair{fetch.on_unreachable("connection refused"), "web.unreachable"},
        std::pair{fetch.on_tls_failure("it has expired"), "web.tls"}, std::pair{fetch.on_timeout(), "web.timeout"}}) {
    ASSERT_FALSE(answer);
    EXPECT_EQ(answer.error().code, expected);
    EXPECT_EQ(answer.error().kind, base::ErrorKind::job_request);
    EXPECT_FALSE(answer.error().hint.empty());
  }
}

}  // namespace
}  // namespace web

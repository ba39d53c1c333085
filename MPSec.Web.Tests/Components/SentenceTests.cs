using System.Collections;
using System.Globalization;
using System.Resources;
using System.Text;
using System.Text.RegularExpressions;
using MPSec.Components;
using MPSec.Features;
using MPSec.Features.Kernel;

namespace MPSec.Tests.Components;

public sealed class SentenceTests : IDisposable
{
    private static readonly Type[] s_pairs = [typeof(KernelSaidTexts), typeof(ChangeSaidTexts)];

    private readonly CultureInfo _before = CultureInfo.CurrentUICulture;
    private readonly Sentences _sentences = new([.. s_pairs.Select(t => new SentenceTexts(t))]);

    public SentenceTests() => CultureInfo.CurrentUICulture = CultureInfo.GetCultureInfo("ko");

    public static TheoryData<string, string> Keys
    {
        get
        {
            var keys = new TheoryData<string, string>();
            foreach (var pair in s_pairs)
            {
                foreach (var key in English(pair.Name).Keys.Order(StringComparer.Ordinal))
                {
                    keys.Add(pair.Name, key);
                }
            }

            return keys;
        }
    }

    public void Dispose() => CultureInfo.CurrentUICulture = _before;

    [Theory]
    [InlineData("34 of 40 objects, about 10 s left", "오브젝트 40개 중 34개, 약 10초 남음")]
    [InlineData("1,034 of 1,803 objects, about 12 min left, 2 errors", "오브젝트 1,803개 중 1,034개, 약 12분 남음, 오류 2개")]
    [InlineData("166 changes", "166곳 변경")]
    [InlineData("168 of 169 as promised", "약속한 169개 중 168개 일치")]
    [InlineData("1 change", "1곳 변경")]
    [InlineData("proved (tcg), 19 Mbit/s over one path, 38 over two", "증명됨(tcg), 한 경로 19 Mbit/s, 두 경로 38 Mbit/s")]
    [InlineData("nobody vouches for it (the archive has no signature; fetch the file that ends in .sign beside it); mina took that on", "보증하는 사람이 없습니다(아카이브에 서명이 없습니다. 옆에 있는 .sign 파일을 받으세요). mina 님이 책임지기로 했습니다")]
    [InlineData("it is installed without a passed proof; boot loader: another file sets GRUB_DEFAULT=0", "통과한 증명 없이 설치합니다; 부트로더: another file sets GRUB_DEFAULT=0")]
    [InlineData("gateway lab-a: a change (link.down of mina) waits to be confirmed; it ends in 12 s at the latest, try again after that", "게이트웨이 lab-a: 변경(mina 님의 link.down)이 확인을 기다립니다. 늦어도 12초 안에 끝납니다. 그 뒤 다시 하세요")]
    [InlineData("gateway host: is in observe mode, MPSec only reads it; an administrator may switch it to managed", "게이트웨이 host: 관찰 모드라 MPSec은 읽기만 합니다. 관리자가 관리 모드로 바꿀 수 있습니다")]
    [InlineData("6.12.117", "6.12.117")]
    [InlineData("words of another program", "words of another program")]
    public void Of_SentenceInKorean_IsSaidInKorean(string sentence, string expected) => Assert.Equal(expected, _sentences.Of(sentence));

    [Fact]
    public void Of_SentenceInEnglish_StaysAsItIs()
    {
        CultureInfo.CurrentUICulture = CultureInfo.GetCultureInfo("en");
        Assert.Equal("166 changes", _sentences.Of("166 changes"));
        Assert.Null(_sentences.Of(null));
    }

    [Fact]
    public void Of_HostileArgument_IsPutInAsItIsAndInGoodTime()
    {
        Assert.Equal("make all 실패: {0} <b>%s</b>", _sentences.Of("make all failed: {0} <b>%s</b>"));
        var endless = string.Concat(Enumerable.Repeat("; failed: is ", 20_000));
        Assert.Contains("failed", _sentences.Of(endless), StringComparison.Ordinal);
    }

    /// <summary>Its words stand in the program, piece by piece as it puts them together: a form that nobody says any more is found.</summary>
    [Theory]
    [MemberData(nameof(Keys))]
    public void Form_InEnglish_IsSaidByTheProgram(string pair, string key)
    {
        var program = Encoding.Unicode.GetString(File.ReadAllBytes(Path.Combine(AppContext.BaseDirectory, "mpsec.dll")));
        var odd = Encoding.Unicode.GetString(File.ReadAllBytes(Path.Combine(AppContext.BaseDirectory, "mpsec.dll")).AsSpan(1)); // strings need not begin at an even place
        foreach (var words in Regex.Split(English(pair)[key], @"\{\d\}|[;:,.()]").Select(w => w.Trim()).Where(w => w.Length > 3))
        {
            Assert.True(IsSaid(words), $"{key}: nobody says '{words}'");
        }

        bool IsSaid(string words) => Stands(words) || Enumerable.Range(1, words.Length - 1).Any(at => words[at] == ' ' && Stands(words[..at]) && IsSaid(words[(at + 1)..]));

        bool Stands(string words) => program.Contains(words, StringComparison.Ordinal) || odd.Contains(words, StringComparison.Ordinal);
    }

    /// <summary>What stands in it is found again, with its arguments in their places.</summary>
    [Theory]
    [MemberData(nameof(Keys))]
    public void Form_WithArguments_IsFoundAgain(string pair, string key)
    {
        object[] arguments = ["7.1-x", "8.2-y", "9.3-z", "4.4-w", "5.5-v"];
        var korean = Resources(pair).GetString(key, CultureInfo.GetCultureInfo("ko"))!;
        Assert.Equal(string.Format(CultureInfo.InvariantCulture, korean, arguments), _sentences.Of(string.Format(CultureInfo.InvariantCulture, English(pair)[key], arguments)));
    }

    private static ResourceManager Resources(string pair) => new(s_pairs.Single(t => t.Name == pair));

    private static Dictionary<string, string> English(string pair) =>
        Resources(pair).GetResourceSet(CultureInfo.InvariantCulture, createIfNotExists: true, tryParents: true)!.Cast<DictionaryEntry>().ToDictionary(e => (string)e.Key, e => (string)e.Value!);
}

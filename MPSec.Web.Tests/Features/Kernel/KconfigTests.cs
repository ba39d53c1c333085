using MPSec.Features.Kernel;
using MPSec.Linux.Procfs;
using MPSec.Tests.Data;

namespace MPSec.Tests.Features.Kernel;

public sealed class KconfigTests : IDisposable
{
    private readonly TempState _state = new();

    public void Dispose() => _state.Dispose();

    [Theory]
    [InlineData("A", 2)]
    [InlineData("B", 1)]
    [InlineData("C", 0)]
    [InlineData("!C", 2)]
    [InlineData("!B", 1)]
    [InlineData("A && B", 1)]
    [InlineData("A && C || B", 1)]
    [InlineData("(A || C) && !C", 2)]
    [InlineData("A=y", 2)]
    [InlineData("B=y", 0)]
    [InlineData("B!=n", 2)]
    [InlineData("N > 10", 2)]
    [InlineData("S = \"text\"", 2)]
    [InlineData("$(cc-option,-mfoo) && A", 2)]
    [InlineData("A &&", 2)]
    [InlineData("((((", 2)]
    public void Evaluate_Expression_FollowsTheRulesOfThreeValues(string expression, int expected)
    {
        var values = new Dictionary<string, string> { ["A"] = "y", ["B"] = "m", ["N"] = "12", ["S"] = "\"text\"" };
        Assert.Equal(expected, KconfigExpression.Evaluate(expression, values.GetValueOrDefault));
    }

    [Fact]
    public void Evaluate_HostileDepth_Ends() => KconfigExpression.Evaluate(new string('(', 5000) + "A", _ => null);

    [Fact]
    public void Of_EveryKindOfReason_IsNamed()
    {
        Write("Kconfig", """
            mainmenu "Test"
            # a comment
            source "net/Kconfig"
            source "arch/$(SRCARCH)/Kconfig"
            source "../outside"
            config PLAIN
            	bool "Plain"
            	help
            	  Not a word of this counts:
            	  config HIDDEN_IN_HELP

            	  depends on NEVER
            config LONGWAY
            	tristate "Long" if PLAIN
            	depends on PLAIN && \
            	  (DIAG=y || NET_X)
            """);
        Write("net/Kconfig", """
            config DIAG
            	tristate "Monitoring"
            if DIAG
            config MPDIAG
            	def_tristate DIAG
            config NEEDY
            	bool "Needy"
            	depends on ABSENT
            endif
            menu "A menu"
            	depends on PLAIN
            comment "only words"
            	depends on BROKEN
            config INMENU
            	bool "In a menu"
            endmenu
            config CHOSEN
            	bool
            config CHOOSER
            	bool "Chooser"
            	select CHOSEN
            choice
            	prompt "One of"
            config ONE
            	bool "One"
            config TWO
            	bool "Two"
            endchoice
            """);
        Write("arch/x86/Kconfig", "config ARCHONLY\n\tbool \"Arch\"\n\tdepends on !PLAIN\n");
        var reason = new KernelConfigReason(
            KconfigTree.Read(_state.Root, "x86"),
            KernelConfig.Parse("test", "CONFIG_PLAIN=y\nCONFIG_CHOOSER=y\nCONFIG_CHOSEN=y\nCONFIG_ONE=y\n"));
        string Of(string option, string wanted, string found = "n") => reason.Of(new(new(option, wanted), found));
        Assert.Equal("this source has no option NOWHERE", Of("NOWHERE", "y"));
        Assert.Equal("this source has no option HIDDEN_IN_HELP", Of("HIDDEN_IN_HELP", "y"));
        Assert.Equal("it needs DIAG, which is n", Of("MPDIAG", "m"));
        Assert.Equal("it needs DIAG, which is n", Of("NEEDY", "y"));
        Assert.Equal("it needs (DIAG=y || NET_X), and DIAG, which is n, NET_X, which this source does not have", Of("LONGWAY", "y"));
        Assert.Equal("it needs !PLAIN, and PLAIN, which is y", Of("ARCHONLY", "y"));
        Assert.Equal("it is a part of a choice in which ONE was taken", Of("TWO", "y"));
        Assert.Equal("CHOOSER needs it", Of("CHOSEN", "n", "y"));
        Assert.Equal("it can be built in only, not as a module", Of("INMENU", "m"));
        Assert.Equal("the source's own rules left it out", Of("INMENU", "y"));
        Assert.Equal("it is built in, which does as well", Of("DIAG", "m", "y"));
    }

    [Fact]
    public void Of_OptionWithoutAQuestion_NamesWhatItFollows()
    {
        Write("Kconfig", "config DIAG\n\ttristate \"d\"\nconfig FOLLOWER\n\tdef_tristate DIAG\nconfig LIB\n\ttristate\nconfig USER\n\tbool \"u\"\n\tselect LIB\n");
        var reason = new KernelConfigReason(KconfigTree.Read(_state.Root, "x86"), KernelConfig.Parse("test", ""));
        Assert.Equal("it has no question of its own: it follows DIAG, which is n", reason.Of(new(new("FOLLOWER", "y"), "n")));
        Assert.Equal("it has no question of its own: it is on when one of USER is", reason.Of(new(new("LIB", "m"), "n")));
    }

    private void Write(string name, string text)
    {
        var path = Path.Combine(_state.Root, name);
        Directory.CreateDirectory(Path.GetDirectoryName(path)!);
        File.WriteAllText(path, text.ReplaceLineEndings("\n"));
    }
}

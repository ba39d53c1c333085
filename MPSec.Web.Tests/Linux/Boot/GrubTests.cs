using MPSec.Linux.Boot;

namespace MPSec.Tests.Linux.Boot;

/// <summary>GRUB's files as Debian 12 writes them.</summary>
public sealed class GrubTests
{
    private const string Release = "6.1.0-56-cloud-amd64";
    private const string Uuid = "3b7946de-c5db-4ab2-bbbb-de3934e8b90e";
    private const string Advanced = $"gnulinux-advanced-{Uuid}>gnulinux-{Release}-advanced-{Uuid}";

    private static string Recorded(string name) => File.ReadAllText(Path.Combine(AppContext.BaseDirectory, "Fixtures/Boot", name));

    [Fact]
    public void Parse_Recorded_HasTheKernelWithItsOwnEntry()
    {
        var menu = GrubMenu.Parse(Recorded("debian12-grub.cfg"));
        Assert.Equal((false, "0"), (menu.DefaultIsSaved, menu.WrittenDefault));
        Assert.Equal([$"gnulinux-simple-{Uuid}", Advanced, $"gnulinux-advanced-{Uuid}>gnulinux-{Release}-recovery-{Uuid}"], menu.Entries.Select(e => e.Id));
        Assert.All(menu.Entries, e => Assert.Equal((Release, true), (e.Release, e.HasInitrd)));
        Assert.Equal([false, false, true], menu.Entries.Select(e => e.IsRecovery));
        var boot = menu.With(GrubEnvironment.Parse(Recorded("debian12-grubenv")));
        Assert.Equal($"gnulinux-simple-{Uuid}", boot.Default!.Id);
        Assert.Null(boot.Once);
        Assert.Equal(Advanced, boot.For(Release)!.Id); // never the first one, which means another kernel tomorrow
        Assert.Null(boot.For("6.1.0-5"));
    }

    [Theory]
    [InlineData("0", "simple")]
    [InlineData("1", "advanced")] // a submenu starts its first entry
    [InlineData("1>1", "recovery")]
    [InlineData("Debian GNU/Linux", "simple")]
    [InlineData("Advanced options for Debian GNU/Linux>Debian GNU/Linux, with Linux 6.1.0-56-cloud-amd64", "advanced")]
    [InlineData(Advanced, "advanced")]
    [InlineData("gnulinux-advanced-" + Uuid + ">gone", "advanced")] // silently, as GRUB does
    [InlineData("gone", "simple")]
    [InlineData("", "simple")]
    [InlineData("99", "simple")]
    public void Starts_Choice_IsWhatGrubWouldStart(string choice, string expected) =>
        Assert.Contains($"-{expected}-", GrubMenu.Parse(Recorded("debian12-grub.cfg")).Starts(choice)!.Id.Split('>')[^1], StringComparison.Ordinal);

    [Theory]
    [InlineData("")]
    [InlineData("menuentry 'x' {")]
    [InlineData("menuentry 'x' $menuentry_id_option {\n}\n}\n}")]
    [InlineData("submenu 'x' $menuentry_id_option 'y' {\n}")]
    [InlineData("menuentry 'it'\\''s' {\nlinux\n}")]
    public void Parse_BrokenOrEmpty_HasNoKernelAndDoesNotThrow(string text)
    {
        var menu = GrubMenu.Parse(text);
        Assert.Empty(menu.Entries);
        Assert.Null(menu.Starts("0"));
    }

    [Fact]
    public void Parse_EveryCutOfTheRecordedFile_IsRead()
    {
        var text = Recorded("debian12-grub.cfg");
        for (var length = 0; length < text.Length; length += 37)
        {
            Assert.InRange(GrubMenu.Parse(text[..length]).Entries.Length, 0, 3);
        }
    }

    [Fact]
    public void Environment_SavedAndOnce_AreSeenInTheMenu()
    {
        var environment = GrubEnvironment.Parse($"# GRUB Environment Block\nsaved_entry={Advanced}\nnext_entry=1>1\nodd=a\\\\b\n{new string('#', 500)}");
        Assert.Equal(@"a\b", environment["odd"]);
        var saved = GrubMenu.Parse(Recorded("debian12-grub.cfg").Replace("set default=\"0\"", "set default=\"${saved_entry}\"", StringComparison.Ordinal)).With(environment);
        Assert.Equal(Advanced, saved.Default!.Id);
        Assert.True(saved.Once!.IsRecovery);
        Assert.False(GrubEnvironment.Parse("next_entry=1\n").IsWhole); // GRUB does not read it either
        Assert.Null(GrubEnvironment.Parse("next_entry=1\n")["next_entry"]);
    }

    [Fact]
    public void Defaults_LaterFileWins_AndVariablesAreFilledIn()
    {
        var root = Directory.CreateTempSubdirectory("mpsec-grub-").FullName;
        try
        {
            Directory.CreateDirectory(Path.Combine(root, "etc/default/grub.d"));
            File.WriteAllText(Path.Combine(root, "etc/default/grub"), "# GRUB_DEFAULT=9\nGRUB_DEFAULT=0 # first\nexport GRUB_CMDLINE_LINUX='console=ttyS0 $x'\nGRUB_DISTRIBUTOR=`lsb_release -i`\nGRUB_TITLE=a\\ b\"c d\"\n");
            File.WriteAllText(Path.Combine(root, "etc/default/grub.d/mpsec.cfg"), "GRUB_DEFAULT=saved\nGRUB_CMDLINE_LINUX=\"${GRUB_CMDLINE_LINUX} panic=30\"\n");
            File.WriteAllText(Path.Combine(root, "etc/default/grub.d/zz.cfg.disabled"), "GRUB_DEFAULT=7\n");
            var defaults = GrubDefaults.Read(root);
            Assert.Equal(("saved", "/etc/default/grub.d/mpsec.cfg"), (defaults["GRUB_DEFAULT"], defaults.FileOf("GRUB_DEFAULT")));
            Assert.Equal("console=ttyS0 $x panic=30", defaults["GRUB_CMDLINE_LINUX"]);
            Assert.Equal("a bc d", defaults["GRUB_TITLE"]);
            Assert.Equal("0", GrubDefaults.Read(root, without: "mpsec.cfg")["GRUB_DEFAULT"]);
            Assert.Null(defaults["GRUB_TIMEOUT"]);
        }
        finally
        {
            Directory.Delete(root, recursive: true);
        }
    }
}

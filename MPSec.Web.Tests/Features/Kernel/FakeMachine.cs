using System.Text;
using Microsoft.EntityFrameworkCore;
using Microsoft.Extensions.DependencyInjection;
using MPSec.Changes;
using MPSec.Data;
using MPSec.Features.Kernel;
using MPSec.Linux.Processes;
using MPSec.Tests.Data;

namespace MPSec.Tests.Features.Kernel;

/// <summary>A machine made of a folder: its files are real, its programs (GRUB's, dpkg) do to the files what the real ones do, and may fail when a test wants it.</summary>
internal sealed class FakeMachine : ICommandRunner, IBootClock, IKernelRestart, IAsyncDisposable
{
    public const string Old = "6.1.0-56-cloud-amd64";
    public const string New = "6.12.9-mptcp";

    // Made once: a test may need fifty machines, and migrating takes longer than all else.
    private static readonly Lazy<Task<byte[]>> s_database = new(DatabaseAsync);

    private readonly TempState _state = new();
    private ServiceProvider? _services;

    public FakeMachine(bool grub = true)
    {
        Assert.SkipUnless(Environment.IsPrivilegedProcess, "asks for root, as the work does");
        Write("proc/sys/kernel/osrelease", Old + "\n");
        Write("proc/cmdline", $"BOOT_IMAGE=/boot/vmlinuz-{Old} root=/dev/vda1 ro\n");
        Write("proc/sys/net/mptcp/enabled", "1\n");
        Write("proc/sys/kernel/panic", "0\n");
        Write("proc/sys/kernel/hung_task_panic", "0\n");
        Write("etc/default/grub", "GRUB_DEFAULT=0\nGRUB_CMDLINE_LINUX=\"console=ttyS0\"\n");
        Write("usr/sbin/grub-mkconfig", "for x in ${sysconfdir}/default/grub.d/*.cfg ; do\n");
        Kernel(Old);
        if (grub)
        {
            Write("boot/grub/grubenv", Block(""));
            Make(At("boot/grub/grub.cfg"));
        }

        Package = At("root/new.deb");
        Write("root/new.deb", "a package");
    }

    public string Root => Path.Combine(_state.Root, "root");

    public string Package { get; }

    /// <summary>Commands that ran, in order.</summary>
    public List<string> Ran { get; } = [];

    /// <summary>Says whether a command fails; it then does nothing.</summary>
    public Func<string, bool> Fails { get; set; } = _ => false;

    /// <summary>The power goes before a command: nothing runs any more in this process.</summary>
    public Func<string, bool> PowerCut { get; set; } = _ => false;

    public Func<bool> MakesEmptyMenu { get; set; } = () => false;

    public long FreeBytes { get; set; } = 500_000_000;

    public bool MakesInitrd { get; set; } = true;

    public int Restarts { get; private set; }

    public string Boot { get; set; } = "boot-1";

    public long Milliseconds { get; set; } = 5000;

    public KernelBootService Service => Get<KernelBootService>();

    public KernelInstaller Installer => Get<KernelInstaller>();

    public KernelBootStore Store => Get<KernelBootStore>();

    public KernelWork Work => new("mina", _ => { }, async (_, call) => (await RunAsync(new(call.Program, call.Arguments), Token)).ExitCode, Token);

    public KernelInstallParameters Wanted => new(Package, OverrideProof: true);

    private static CancellationToken Token => TestContext.Current.CancellationToken;

    public T Get<T>()
        where T : notnull => _services!.GetRequiredService<T>();

    public async Task<FakeMachine> StartAsync()
    {
        await File.WriteAllBytesAsync(_state.Folder.ConfigurationDatabase, await s_database.Value, Token);
        _services = await _state.StartAsync(services => services
            .AddSingleton(TimeProvider.System).AddSingleton<ICommandRunner>(this).AddSingleton<IBootClock>(this).AddSingleton<IKernelRestart>(this)
            .AddSingleton(new KernelMachineRoot(Root) { FreeBytes = _ => FreeBytes })
            .AddSingleton<AuditLog>().AddSingleton<KernelBootStore>().AddSingleton<KernelBootMachinery>().AddSingleton<KernelInstaller>().AddSingleton<KernelTrialChecks>().AddSingleton<KernelBootService>());
        return this;
    }

    public async Task<KernelBootRecord> InstallAsync()
    {
        var plan = await Installer.CheckAsync(Wanted, Work);
        await Installer.GuardAsync(plan, Wanted, Work);
        await Installer.InstallAsync(plan, Work);
        return await Installer.EntryAsync(plan, Work);
    }

    /// <summary>Starts the machine anew as GRUB would; gives the release that comes up.</summary>
    public string Start()
    {
        var menu = MPSec.Linux.Boot.GrubMenu.Parse(Text("boot/grub/grub.cfg")).With(MPSec.Linux.Boot.GrubEnvironment.Read(At("boot/grub/grubenv")));
        var starts = menu.Once ?? menu.Default;
        Edit("unset", "next_entry");
        Boot += "'";
        Milliseconds = 4000;
        Write("proc/sys/kernel/osrelease", starts!.Release! + "\n");
        Write("proc/cmdline", $"BOOT_IMAGE=/boot/vmlinuz-{starts.Release} {starts.Options}\n");
        return starts.Release!;
    }

    public async Task<IReadOnlyList<string>> AuditAsync()
    {
        await using var context = TempState.Context(_services!);
        return await context.Set<AuditEntry>().OrderBy(e => e.Id).Select(e => $"{e.Actor} {e.Verb}: {e.Result}").ToListAsync(Token);
    }

    public string At(string path) => Path.Combine(Root, path.TrimStart('/'));

    public string Text(string path) => File.ReadAllText(At(path));

    public void Write(string path, string text)
    {
        Directory.CreateDirectory(Path.GetDirectoryName(At(path))!);
        File.WriteAllText(At(path), text);
    }

    public void Kernel(string release, bool initrd = true)
    {
        Write("boot/vmlinuz-" + release, new string('k', 9000));
        Write("boot/config-" + release, "CONFIG_EXT4_FS=m\n");
        if (initrd)
        {
            Write("boot/initrd.img-" + release, new string('i', 9000));
        }

        Directory.CreateDirectory(At("lib/modules/" + release));
    }

    public void Remove(string release)
    {
        foreach (var name in (string[])["vmlinuz", "config", "initrd.img"])
        {
            File.Delete(At($"boot/{name}-{release}"));
        }
    }

    public string? Find(string program) => program is "bootctl" or "journalctl" ? null : "/usr/sbin/" + program;

    public Task RestartAsync(CancellationToken cancellationToken)
    {
        Restarts++;
        return Task.CompletedTask;
    }

    public Task<CommandResult> RunAsync(CommandRequest request, CancellationToken cancellationToken)
    {
        var line = string.Join(' ', request.Arguments.Prepend(request.Program)).Replace(Root, "", StringComparison.Ordinal);
        if (PowerCut(line))
        {
            PowerCut = _ => true;
            throw new PowerCutException();
        }

        Ran.Add(line);
        return Task.FromResult(Fails(line) ? Result(1, "", "it failed") : request switch
        {
            { Program: "grub-mkconfig", Arguments: ["-o", var file] } => Make(file),
            { Program: "grub-set-default", Arguments: [var entry] } => Both(Edit("unset", "next_entry"), Edit("set", "saved_entry=" + entry)),
            { Program: "grub-reboot", Arguments: [var entry] } => Edit("set", "next_entry=" + entry),
            { Program: "grub-editenv", Arguments: [_, var verb, var what] } => Edit(verb, what),
            { Program: "grub-probe", Arguments: ["--target=fs", _] } => Result(0, "ext2\n"),
            { Program: "dpkg-deb", Arguments: ["--field", ..] } => Result(0, "Package: linux-image-new\nVersion: 6.12.9-1\nArchitecture: amd64\n"),
            { Program: "dpkg-deb", Arguments: ["--contents", ..] } => Result(0, $"drwxr-xr-x root/root 0 2026-01-01 00:00 ./boot/\n-rw-r--r-- root/root 9000000 2026-01-01 00:00 ./boot/vmlinuz-{New}\n-rw-r--r-- root/root 400 2026-01-01 00:00 ./lib/modules/{New}/kernel/a.ko\n"),
            { Program: "dpkg-query", Arguments: ["--show", ..] } => File.Exists(At("boot/vmlinuz-" + New)) ? Result(0, "ii |6.12.9-1") : Result(1, "", "no packages found"),
            { Program: "dpkg-query", Arguments: ["--search", ..] } => request.Arguments[^1].EndsWith(New, StringComparison.Ordinal) ? Result(0, $"linux-image-new: /boot/vmlinuz-{New}\n") : Result(0, $"linux-image-old: {request.Arguments[^1]}\n"),
            { Program: "dpkg", Arguments: ["--install", ..] } => Dpkg(() => Kernel(New, MakesInitrd)),
            { Program: "dpkg", Arguments: ["--remove", ..] } => Dpkg(() => Remove(New)),
            { Program: "dpkg", Arguments: ["--audit"] } or { Program: "apt-get" or "modprobe" or "grub-probe" } => Result(0, ""),
            _ => throw new InvalidOperationException("not expected: " + line),
        });
    }

    public async ValueTask DisposeAsync()
    {
        if (_services is not null)
        {
            await _services.DisposeAsync();
        }

        _state.Dispose();
    }

    // Its hook renews the menu in place.
    private CommandResult Dpkg(Action act)
    {
        act();
        return Make(At("boot/grub/grub.cfg"));
    }

    private CommandResult Make(string file)
    {
        var defaults = MPSec.Linux.Boot.GrubDefaults.Read(Root);
        var text = new StringBuilder("if [ \"${next_entry}\" ] ; then\n   set default=\"${next_entry}\"\nelse\n");
        text.AppendLine(defaults["GRUB_DEFAULT"] == "saved" ? "   set default=\"${saved_entry}\"" : $"   set default=\"{defaults["GRUB_DEFAULT"]}\"").AppendLine("fi");
        var releases = MakesEmptyMenu() ? [] : Directory.GetFiles(At("boot"), "vmlinuz-*").Select(f => Path.GetFileName(f)["vmlinuz-".Length..]).OrderByDescending(r => Version.Parse(r.Split('-')[0])).ToArray();
        foreach (var newest in releases.Take(1))
        {
            Entry(newest, "simple", "");
            text.AppendLine("submenu 'Advanced options' $menuentry_id_option 'gnulinux-advanced-U' {");
            foreach (var release in releases)
            {
                Entry(release, release + "-advanced", "");
                Entry(release, release + "-recovery", "single ");
            }

            text.AppendLine("}");
        }

        File.WriteAllText(file, text.ToString());
        return Result(0, "");

        void Entry(string release, string id, string more) => text.AppendLine(System.Globalization.CultureInfo.InvariantCulture, $"menuentry 'Linux {release}' --class debian $menuentry_id_option 'gnulinux-{id}-U' {{\n  linux /boot/vmlinuz-{release} root=/dev/vda1 ro {more}{defaults["GRUB_CMDLINE_LINUX"]}\n  initrd /boot/initrd.img-{release}\n}}");
    }

    private CommandResult Edit(string verb, string what)
    {
        var name = what.Split('=')[0];
        var lines = Text("boot/grub/grubenv").Split('\n').Where(l => l.Contains('=', StringComparison.Ordinal) && !l.StartsWith(name + "=", StringComparison.Ordinal)).ToList();
        if (verb == "set")
        {
            lines.Add(what);
        }

        Write("boot/grub/grubenv", Block(string.Concat(lines.Select(l => l + "\n"))));
        return Result(0, "");
    }

    private static async Task<byte[]> DatabaseAsync()
    {
        using var state = new TempState();
        await using (await state.StartAsync())
        {
            Microsoft.Data.Sqlite.SqliteConnection.ClearAllPools();
        }

        return await File.ReadAllBytesAsync(state.Folder.ConfigurationDatabase);
    }

    private static CommandResult Both(CommandResult first, CommandResult second) => first.Succeeded ? second : first;

    private static string Block(string lines) => ("# GRUB Environment Block\n" + lines).PadRight(1024, '#');

    private static CommandResult Result(int code, string output, string error = "") => new(code, output, error, false, false, false);

    internal sealed class PowerCutException : Exception;
}
